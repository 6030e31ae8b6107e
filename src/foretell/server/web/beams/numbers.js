/** Figures of a search as they are shown. Pure functions. */

/** @param {number | null} value a sum of log-probabilities, or a score; null: it is infinite */
export function showSum(value) {
  return value === null ? "−∞" : value.toFixed(3).replace("-", "−");
}

/** @param {number} exponent of the length */
export function showPenalty(exponent) {
  return String(exponent).replace("-", "−");
}

/**
 * How a score comes about, as "−6.203 / 5¹ = −1.241" without the signs of a picture.
 *
 * @param {{ total: number, token_ids: number[], score: number | null }} hypothesis
 * @param {number} penalty
 */
export function showScore({ total, token_ids, score }, penalty) {
  return { sum: showSum(total), length: token_ids.length, penalty: showPenalty(penalty), score: showSum(score) };
}
