/**
 * A beam search as it grows: events become a tree, as it stood after each step. The shapes are those
 * of `/v1/foretell/beams`; see docs/server.md. Pure functions on plain data.
 *
 * @typedef {Object} Candidate
 * @property {number} token_id
 * @property {string} token
 * @property {number[]} bytes
 * @property {number} logprob
 * @property {number} total the sum with that of its beam
 * @property {number | null} rank null: it was no candidate, only the likeliest other one
 * @property {"kept" | "finished" | "fell"} fate
 * @property {string} verdict the fate, and why, in the server's words
 * @property {number | null} beam the live beam that it becomes
 * @property {number | null} hypothesis the finished text that it ends
 * @property {{ kind: string, value: any } | null} stop_reason
 * @property {number | null} score
 *
 * @typedef {{ text: string, token_ids: number[], total: number, candidates: Candidate[] }} Beam
 * @typedef {{ beams: Beam[], num_candidates: number, num_hypotheses: number }} Step
 * @typedef {{ text: string, token_ids: number[], total: number, score: number,
 *   stop_reason: { kind: string, value: any } }} Hypothesis
 * @typedef {"exhausted" | "enough" | "settled"} End
 *
 * @typedef {Object} StepEvent
 * @property {number} index
 * @property {Step} step
 * @property {Hypothesis[]} hypotheses
 * @property {{ step: number, beam: number, index: number, candidate: Candidate }[]} revised
 * @property {End | null} end
 *
 * @typedef {{ steps: Step[], hypotheses: Hypothesis[], end: End | null }} Grown
 */

/** @type {Grown} */
export const NOTHING = { steps: [], hypotheses: [], end: null };

/**
 * The tree after one more step.
 *
 * @param {Grown} before
 * @param {StepEvent} event
 * @returns {Grown}
 */
export function grown(before, event) {
  let steps = before.steps;
  for (const one of event.revised) steps = revised(steps, one);
  return { steps: [...steps, event.step], hypotheses: event.hypotheses, end: event.end };
}

/**
 * @param {Step[]} steps
 * @param {{ step: number, beam: number, index: number, candidate: Candidate }} revision
 */
function revised(steps, { step, beam, index, candidate }) {
  const beams = replaced(steps[step].beams, beam, (one) => ({
    ...one,
    candidates: replaced(one.candidates, index, () => candidate),
  }));
  return replaced(steps, step, (one) => ({ ...one, beams }));
}

/**
 * @template T
 * @param {T[]} list
 * @param {number} index
 * @param {(one: T) => T} change
 */
function replaced(list, index, change) {
  return list.map((one, place) => (place === index ? change(one) : one));
}

/**
 * Falls that the server's verdict alone tells apart.
 *
 * @type {Record<string, "search_ended" | "other_banks">}
 */
const SAID = { "the search ended first": "search_ended", "other banks came first": "other_banks" };

/**
 * How a candidate that fell came to do so.
 *
 * @param {Candidate} candidate
 * @returns {"passed_over" | "outdone" | "ends_outside" | "lacks_words" | "search_ended" | "other_banks" | "below"}
 */
export function fallOf(candidate) {
  if (candidate.rank === null) return "passed_over";
  if (candidate.score !== null) return "outdone";
  if (candidate.stop_reason !== null) return candidate.verdict.endsWith("lacks words") ? "lacks_words" : "ends_outside";
  return SAID[candidate.verdict] ?? "below";
}
