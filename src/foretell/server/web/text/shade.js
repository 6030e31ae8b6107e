/**
 * How uncertain a token is, in five steps from none to much. Pure functions.
 *
 * @typedef {import("./token.js").Token} Token
 * @typedef {"probability" | "surprisal" | "entropy"} Measure what is looked at
 */

/** @type {readonly Measure[]} */
export const MEASURES = ["probability", "surprisal", "entropy"];

/**
 * Where each step after the first begins: a probability below the limit, or as many nats as the limit.
 *
 * @type {Record<Measure, readonly number[]>}
 */
export const LIMITS = {
  probability: [0.5, 0.2, 0.05, 0.01],
  surprisal: [0.5, 1, 2, 4],
  entropy: [0.5, 1, 2, 4],
};

/**
 * What the model itself thought, before any setting; null where it was not asked.
 *
 * @param {Token} token
 * @param {Measure} measure
 * @returns {number | null}
 */
export function valueOf(token, measure) {
  if (measure === "entropy") return token.step?.stages[0].entropy ?? null;
  if (measure === "probability" && token.step) return token.step.chosen.probabilities[0];
  if (token.logprob === null) return null;
  return measure === "probability" ? Math.exp(token.logprob) : Math.abs(token.logprob);
}

/**
 * The step of a value, 0 to 4.
 *
 * @param {Measure} measure
 * @param {number} value
 */
export function stepOf(measure, value) {
  const limits = LIMITS[measure];
  return limits.filter((limit) => (measure === "probability" ? value < limit : value >= limit)).length;
}

/**
 * The step of tokens that share a box: that of the most uncertain one; null where none has a value.
 *
 * @param {readonly Token[]} tokens
 * @param {Measure} measure
 * @returns {number | null}
 */
export function stepOfAll(tokens, measure) {
  let most = null;
  for (const token of tokens) {
    const value = valueOf(token, measure);
    if (value !== null) most = Math.max(most ?? 0, stepOf(measure, value));
  }
  return most;
}

/** Nats from which on a choice counts as uncertain: as if e² tokens were equally likely. */
export const UNCERTAIN = LIMITS.entropy[2];

/**
 * The next token, from the start again after the last, before which the model was uncertain; null
 * where there is none.
 *
 * @param {readonly Token[]} tokens
 * @param {number | null} after
 * @returns {number | null}
 */
export function nextUncertain(tokens, after) {
  const from = after === null ? 0 : after + 1;
  for (let count = 0; count < tokens.length; count += 1) {
    const index = (from + count) % tokens.length;
    if ((valueOf(tokens[index], "entropy") ?? 0) >= UNCERTAIN) return index;
  }
  return null;
}
