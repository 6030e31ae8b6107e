/**
 * Runs: which request wrote which tokens, so that it can be asked again. Pure functions.
 *
 * @typedef {Object} Run
 * @property {number} start the position of its first token, counted after the prompt
 * @property {number} end where it ended: the position after its last token
 * @property {Record<string, any>} settings what the server says was in force, with the seed that it
 *   drew; as they were sent, where it did not come to say it
 */

/** Settings that look at what a request itself has written: in a request that goes on they begin anew. */
const BEGIN_ANEW = [
  "min_new_tokens",
  "mirostat",
  "adaptive_target",
  "begin_suppress_tokens",
  "forced_bos_token_id",
  "forced_eos_token_id",
  "exponential_decay_length_penalty",
  "guidance_scale",
  "repetition_detection",
  "stop",
  "stop_regex",
];

/** Penalties, and what they see where no scope is set. @type {Record<string, string>} */
const SCOPES = { repetition_penalty: "all", frequency_penalty: "output", presence_penalty: "output" };

/** Scopes that a request's end of the prompt divides. */
const DIVIDED = ["prompt", "output"];

/** @type {Record<string, any>} values that are as good as none */
const OFF = {
  repetition_penalty: 1,
  frequency_penalty: 0,
  presence_penalty: 0,
  mirostat: 0,
  min_new_tokens: 0,
  guidance_scale: 1,
};

/** Settings that are of one request, or about reports, and no part of how tokens are chosen. */
const APART = ["max_new_tokens", "logprobs", "trace", "max_time", "stream"];

/**
 * Names of the settings that do not see the text so far as their own when a request goes on with it.
 *
 * @param {Record<string, any>} settings
 */
export function beginningAnew(settings) {
  const penalties = Object.keys(SCOPES).filter((name) => DIVIDED.includes(settings.penalty_scope ?? SCOPES[name]));
  return [...penalties, ...BEGIN_ANEW].filter((name) => isSet(settings[name]) && settings[name] !== OFF[name]);
}

/** @param {any} value */
function isSet(value) {
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}

/**
 * Settings without what is not about choosing tokens.
 *
 * @param {Record<string, any>} settings
 * @returns {Record<string, any>}
 */
export function choosingOnly(settings) {
  const kept = Object.entries(settings).filter(([name, value]) => !APART.includes(name) && isSet(value));
  return Object.fromEntries(kept.sort(([one], [other]) => (one < other ? -1 : 1)));
}

/**
 * The runs, the last of them longer by so many tokens.
 *
 * @param {readonly Run[]} runs
 * @param {number} num_tokens
 */
export function extended(runs, num_tokens) {
  const last = runs[runs.length - 1];
  return last ? [...runs.slice(0, -1), { ...last, end: last.end + num_tokens }] : [];
}

/**
 * The runs as far as they lie before a position.
 *
 * @param {readonly Run[]} runs
 * @param {number} end
 */
export function clipped(runs, end) {
  return runs.filter((run) => run.start < end).map((run) => (run.end <= end ? run : { ...run, end }));
}

/**
 * The runs, the last two as one where one request would have written the same.
 *
 * Draws are by seed and position, so that is so where both have the same settings, and none that
 * begins anew.
 *
 * @param {readonly Run[]} runs
 * @returns {Run[]}
 */
export function joined(runs) {
  const [one, other] = runs.slice(-2);
  if (other !== undefined && other.start === other.end) return runs.slice(0, -1);
  if (other === undefined || one.end !== other.start || !isAlike(one.settings, other.settings)) return [...runs];
  return [...runs.slice(0, -2), { ...one, end: other.end }];
}

/**
 * @param {Record<string, any>} one
 * @param {Record<string, any>} other
 */
function isAlike(one, other) {
  if (beginningAnew(other).length > 0) return false;
  return JSON.stringify(choosingOnly(one)) === JSON.stringify(choosingOnly(other));
}

/** Tokens that the server explains in one answer at most; fewer than it may, as answers are long. */
const MOST = 1024;

/**
 * What to ask a server for that is to write a run again: a request, or several where it is long. A
 * long run can be cut: it was cut before, or has no settings that begin anew.
 *
 * @param {Run} run
 * @returns {{ start: number, settings: Record<string, any> }[]}
 */
export function piecesOfRun(run) {
  const pieces = [];
  const isWhole = beginningAnew(run.settings).length > 0;
  for (let start = run.start; start < run.end; start += MOST) {
    const end = isWhole ? run.end : Math.min(start + MOST, run.end);
    pieces.push({ start, settings: settingsOfRun({ ...run, start, end }) });
    if (isWhole) break;
  }
  return pieces;
}

/**
 * The settings of a run, with as many tokens as it has.
 *
 * @param {Run} run
 * @returns {Record<string, any>}
 */
export function settingsOfRun(run) {
  const { logprobs, trace, stream, max_time, ...kept } = run.settings;
  const length = run.end - run.start;
  const isLimitKnown = kept.forced_eos_token_id !== undefined && kept.max_new_tokens !== undefined;
  const least = kept.min_new_tokens > length ? { min_new_tokens: length } : {};
  return isLimitKnown ? kept : { ...kept, ...least, max_new_tokens: length };
}
