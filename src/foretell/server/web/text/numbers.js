/** Figures as they are shown: one way for the whole page. Pure functions. */

const WHOLE = new Intl.NumberFormat("en-US");

/** What is nearer to 0 or 1 than this is shown as a power of ten. */
const TINY = 1e-8;

/**
 * A probability in per cent: two decimals as a rule, more where they would show it as nothing or as
 * all. Only what is 0 or 1 shows as 0% or 100%.
 *
 * @param {number} p 0 to 1
 */
export function showProbability(p) {
  if (p <= 0) return "0%";
  if (p >= 1) return "100%";
  if (p < TINY) return p.toExponential(1);
  if (1 - p < TINY) return `1 − ${(1 - p).toExponential(1)}`;
  const decimals = p < 1e-4 ? decimalsOf(p * 100) : p > 0.9999 ? decimalsOf((1 - p) * 100) : 2;
  return `${(p * 100).toFixed(decimals)}%`;
}

/** @param {number} small a number below 0.01: as many decimals as show two digits of it */
function decimalsOf(small) {
  return 1 - Math.floor(Math.log10(small));
}

/** @param {number} logprob a natural logarithm */
export function showLogprob(logprob) {
  return Number.isFinite(logprob) ? minus(logprob.toFixed(3)) : "−∞";
}

/** @param {number} logprob of a token; its surprisal is the same without the sign, in nats */
export function showSurprisal(logprob) {
  return Number.isFinite(logprob) ? minus(Math.abs(logprob).toFixed(3)) : "∞";
}

/** @param {number} nats */
export function showEntropy(nats) {
  return Math.abs(nats).toFixed(3);
}

/** @param {number | null} logit null: the token is ruled out */
export function showLogit(logit) {
  return logit === null ? "−∞" : minus(logit.toFixed(3));
}

/** @param {number} number a whole one */
export function showCount(number) {
  return WHOLE.format(number);
}

/**
 * Where an interval begins, the number drawn, and where it ends, with as many digits as tell them
 * apart.
 *
 * @param {import("./token.js").Draw} draw
 * @param {number} [least] digits
 * @returns {[string, string, string]}
 */
export function showDraw({ low, uniform, high }, least = 4) {
  for (let digits = least; digits < 17; digits += 1) {
    const shown = [low, uniform, high].map((one) => one.toFixed(digits));
    const [from, at, to] = shown.map(Number);
    if (from <= at && at < to) return /** @type {[string, string, string]} */ (shown);
  }
  return [String(low), String(uniform), String(high)];
}

/** @param {string} text of a number */
function minus(text) {
  return text.replace("-", "−");
}
