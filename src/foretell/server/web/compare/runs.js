/**
 * The texts of a comparison as they are written, and where they part. Pure functions on plain data.
 *
 * @typedef {import("../text/token.js").Token} Token
 *
 * @typedef {Object} Run
 * @property {number | null} seed null: nothing is drawn
 * @property {readonly Token[]} tokens
 * @property {string | null} finish_reason null while it is written
 *
 * @typedef {Record<string, readonly Run[]>} Runs by the letters of their columns
 */

import { tokensOf } from "../text/token.js";

/** @type {Run} */
const NEW_RUN = { seed: null, tokens: [], finish_reason: null };

/**
 * The runs of a column with what an event brings.
 *
 * @param {readonly Run[]} runs
 * @param {any} event of `foretell.compare.chunk`
 * @returns {readonly Run[]}
 */
export function withChunk(runs, event) {
  const all = [...runs];
  while (all.length <= event.run) all.push(NEW_RUN);
  const run = all[event.run];
  const tokens = tokensOf({ logprobs: event.logprobs, steps: [] });
  all[event.run] = {
    seed: event.seed,
    tokens: [...run.tokens, ...tokens],
    finish_reason: event.finish_reason,
  };
  return all;
}

/**
 * The run that one is held against: that with the same place, or the only one there is.
 *
 * @param {readonly Run[]} runs of the column that the others are held against
 * @param {number} place
 * @returns {Run | null}
 */
export function counterpart(runs, place) {
  return runs.length === 1 ? runs[0] : (runs[place] ?? null);
}

/**
 * The first position at which a text has another token than the other; null as long as they are the
 * same. A text that ends where the other goes on parts from it there.
 *
 * @param {Run} run
 * @param {Run} other
 * @returns {number | null}
 */
export function parting(run, other) {
  const shorter = Math.min(run.tokens.length, other.tokens.length);
  for (let index = 0; index < shorter; index += 1) {
    if (run.tokens[index].id !== other.tokens[index].id) return index;
  }
  const isDecided = run.tokens.length !== other.tokens.length && endsAt(run, other, shorter);
  return isDecided ? shorter : null;
}

/**
 * @param {Run} run
 * @param {Run} other
 * @param {number} length whether the one that has so many tokens has ended
 */
function endsAt(run, other, length) {
  const short = run.tokens.length === length ? run : other;
  return short.finish_reason !== null;
}

/**
 * Where each run of a column parts from what it is held against; null: nowhere yet.
 *
 * @param {readonly Run[]} runs
 * @param {readonly Run[]} base
 * @returns {(number | null)[]}
 */
export function partings(runs, base) {
  return runs.map((run, place) => {
    const other = counterpart(base, place);
    return other === null ? null : parting(run, other);
  });
}
