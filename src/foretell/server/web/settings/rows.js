/**
 * The rows of the picture of the next token: pure functions.
 *
 * @typedef {import("./outlook.js").NextToken} NextToken
 */

/**
 * The tokens to show: the likeliest before or after, in the model's order.
 *
 * @param {readonly NextToken[]} tokens in the model's order
 * @param {number} count
 * @returns {NextToken[]}
 */
export function rowsOf(tokens, count) {
  const weight = (/** @type {NextToken} */ one) => Math.max(one.probability, one.final_probability);
  const likeliest = [...tokens].sort((one, other) => weight(other) - weight(one)).slice(0, count);
  return tokens.filter((one) => likeliest.includes(one));
}

/**
 * What the longest bar stands for.
 *
 * @param {readonly NextToken[]} rows
 */
export function scaleOf(rows) {
  return Math.max(...rows.map((one) => Math.max(one.probability, one.final_probability)), 1e-9);
}
