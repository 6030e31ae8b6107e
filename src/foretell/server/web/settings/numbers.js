/**
 * Numbers of settings: how they are shown and read, and where they lie on a slider.
 *
 * @typedef {import("./guide.js").Topic} Topic
 * @typedef {Object} Span what a slider spans
 * @property {number} low
 * @property {number} high
 * @property {number} step 0: as fine as the slider itself
 * @property {boolean} isLogarithmic
 */

/** Positions that a slider has. */
export const POSITIONS = 1000;

/** How far beyond the useful values a slider goes where the legal ones go on. */
const MARGIN = 0.25;

/**
 * What a setting's slider spans: the useful values and some beyond, within the legal ones; null where
 * nobody says what is useful, and the legal values do not end.
 *
 * @param {Topic} topic
 * @returns {Span | null}
 */
export function spanOf(topic) {
  const useful = topic.useful ?? bounds(topic);
  if (useful === null) return null;
  const beyond = (useful[1] - useful[0]) * MARGIN;
  const isLogarithmic = useful[0] > 0 && useful[1] / useful[0] >= 100 && topic.notation === "number";
  const isWhole = topic.notation === "integer";
  if (isLogarithmic) return { low: useful[0] / 10, high: Math.min(useful[1] * 2, topic.high ?? Infinity), step: 0, isLogarithmic };
  const low = Math.max(rounded(useful[0] - beyond), topic.low ?? -Infinity);
  const high = Math.min(rounded(useful[1] + beyond), topic.high ?? Infinity);
  const ends = isWhole ? [Math.floor(low), Math.ceil(high)] : [low, high];
  return { low: ends[0], high: ends[1], step: isWhole ? 1 : stepOf(high - low), isLogarithmic };
}

/** @param {Topic} topic @returns {[number, number] | null} */
function bounds({ low, high }) {
  return low !== null && high !== null && high - low <= 1000 ? [low, high] : null;
}

/** @param {number} value to two digits, so that ends are even numbers */
function rounded(value) {
  return Number(value.toPrecision(2));
}

/** @param {number} width @returns {number} a step of 1 or 5 at some place, some hundred to the width */
function stepOf(width) {
  const fine = width / 500;
  const place = 10 ** Math.floor(Math.log10(fine));
  return Number((fine / place > 2 ? place * 5 : place).toPrecision(1));
}

/**
 * Where a value lies on a slider, 0 to POSITIONS; at its ends where it lies outside.
 *
 * @param {Span} span
 * @param {number} value
 */
export function positionOf(span, value) {
  const share = span.isLogarithmic
    ? Math.log(Math.max(value, span.low) / span.low) / Math.log(span.high / span.low)
    : (value - span.low) / (span.high - span.low);
  return Math.round(Math.min(1, Math.max(0, share)) * POSITIONS);
}

/**
 * The value at a position of a slider.
 *
 * @param {Span} span
 * @param {number} position
 */
export function valueAt(span, position) {
  const share = position / POSITIONS;
  if (span.isLogarithmic) return Number((span.low * (span.high / span.low) ** share).toPrecision(2));
  const value = span.low + share * (span.high - span.low);
  const even = span.step ? Math.round(value / span.step) * span.step : value;
  return Number(Math.min(span.high, Math.max(span.low, even)).toPrecision(6));
}

/**
 * The number of slider positions that a key moves by: a step, or what can be seen at all.
 *
 * @param {Span} span
 */
export function keyStep(span) {
  return Math.max(1, Math.round((POSITIONS * span.step) / (span.high - span.low)));
}

/**
 * The number that a text is; null: it is none, or none that JSON carries unchanged.
 *
 * @param {string} text
 * @returns {number | null}
 */
export function readNumber(text) {
  const wanted = text.trim();
  const value = Number(wanted);
  if (wanted === "" || !Number.isFinite(value)) return null;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? null : value;
}

/** @param {number} value as people write it */
export function showNumber(value) {
  return Object.is(value, -0) ? "0" : String(value);
}

/**
 * The legal bounds in short, as "≥ 0" or "0 – 1"; "" where every number is legal.
 *
 * @param {Topic} topic
 */
export function legalBounds({ low, high, open_low }) {
  const least = open_low ? ">" : "≥";
  if (low === null && high === null) return "";
  if (high === null) return `${least} ${low}`;
  if (low === null) return `≤ ${high}`;
  return `${open_low ? "> " : ""}${low} – ${high > 2 ** 53 ? "2⁶⁴ − 1" : high}`;
}
