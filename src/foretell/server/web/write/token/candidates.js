/**
 * The candidates of a step, as the panel shows them. Pure functions.
 *
 * @typedef {import("../../text/token.js").Step} Step
 * @typedef {import("../../text/token.js").Candidate} Candidate
 */

/**
 * The chosen token and the alternatives, the model's likeliest first.
 *
 * @param {Step} step
 * @returns {Candidate[]}
 */
export function candidatesOf({ chosen, runners_up }) {
  return [chosen, ...runners_up].sort((one, other) => one.rank - other.rank);
}

/**
 * The largest probability that a candidate has at any stage: bars of all stages have one scale.
 *
 * @param {readonly Candidate[]} candidates
 */
export function largestOf(candidates) {
  return Math.max(1e-12, ...candidates.flatMap((one) => one.probabilities));
}

/**
 * Whether a candidate is ruled out at a stage.
 *
 * @param {Candidate} candidate
 * @param {number} stage
 */
export function isCut(candidate, stage) {
  return candidate.logits[stage] === null;
}

/**
 * The tokens that are not shown at a stage: how many, and what they have together.
 *
 * @param {Step} step
 * @param {number} stage
 */
export function othersOf(step, stage) {
  const shown = candidatesOf(step).filter((one) => !isCut(one, stage));
  const held = shown.reduce((sum, one) => sum + one.probabilities[stage], 0);
  const number = step.stages[stage].num_candidates - shown.length;
  return { number, mass: number === 0 ? 0 : Math.max(0, 1 - held) };
}

/**
 * The index of the stage that the reader looks at: the last one, unless another was picked and this
 * step has it, too.
 *
 * @param {Step} step
 * @param {{ index: number, name: string } | null} picked
 */
export function stageIndex({ stages }, picked) {
  return picked !== null && stages[picked.index]?.name === picked.name ? picked.index : stages.length - 1;
}
