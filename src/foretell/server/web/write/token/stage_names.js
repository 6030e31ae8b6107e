/**
 * Stages by name, and which of them ruled a candidate out. Pure functions.
 *
 * @typedef {import("../../text/token.js").Step} Step
 * @typedef {import("../../text/token.js").Stage} Stage
 * @typedef {import("../../text/token.js").Candidate} Candidate
 */

/**
 * The stage that ruled a candidate out; null if none did.
 *
 * @param {Step} step
 * @param {Candidate} candidate
 * @returns {Stage | null}
 */
export function removerOf({ stages }, { removed_by }) {
  return removed_by === null ? null : stages[removed_by];
}

/** @param {Stage} stage its name and its value */
export function showStage({ name, setting }) {
  return `${name} ${setting}`.trimEnd();
}
