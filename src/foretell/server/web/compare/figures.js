/**
 * The figures of a comparison: those of the server, in the order in which they are read. Pure
 * functions.
 *
 * @typedef {"mean_logprob" | "perplexity" | "distinct_1" | "distinct_2" | "distinct_3" |
 *   "repeated_ngrams" | "agreement" | "mean_length"} FigureName
 * @typedef {Record<FigureName, number | null>} Figures
 */

/** @type {readonly FigureName[]} */
export const FIGURES = [
  "perplexity",
  "mean_logprob",
  "distinct_1",
  "distinct_2",
  "distinct_3",
  "repeated_ngrams",
  "agreement",
  "mean_length",
];

/** Figures from 0 to 1; the bars of others are as long as the greatest of them allows. */
const SHARES = ["distinct_1", "distinct_2", "distinct_3", "repeated_ngrams", "agreement"];

/**
 * A figure as it is shown; "–" where there is nothing to count.
 *
 * @param {FigureName} name
 * @param {number | null} value
 */
export function showFigure(name, value) {
  if (value === null) return "–";
  if (name === "mean_length") return value.toFixed(1);
  if (name === "perplexity") return value < 1000 ? value.toFixed(2) : value < 1e6 ? value.toFixed(0) : value.toExponential(1);
  return value.toFixed(3).replace("-", "−");
}

/**
 * How long the bars of some columns are, 0 to 1.
 *
 * @param {FigureName} name
 * @param {readonly (number | null)[]} values
 */
export function barsOf(name, values) {
  const sizes = values.map((value) => Math.abs(value ?? 0));
  const full = SHARES.includes(name) ? 1 : Math.max(...sizes, Number.MIN_VALUE);
  return sizes.map((size) => Math.min(1, size / full));
}
