/** The shape of the chart of a text's entropy. Pure functions. */

/** Where the chart may end at the top, in nats. */
const TOPS = [1, 2, 3, 4, 6, 8, 12, 16, 24];

/**
 * The value at the top of the chart.
 *
 * @param {readonly (number | null)[]} values
 */
export function axisOf(values) {
  const most = values.reduce((/** @type {number} */ top, value) => Math.max(top, value ?? 0), 0);
  return TOPS.find((top) => most <= top) ?? Math.ceil(most);
}

/**
 * The outline of one bar a value, in a field as wide as there are values and 1 high, as the data of an
 * SVG path. Where a value is missing there is no bar.
 *
 * @param {readonly (number | null)[]} values
 * @param {number} axis the value at the top
 */
export function outlineOf(values, axis) {
  const heights = values.map((value) => (1 - (value ?? 0) / axis).toFixed(3));
  return `M0 1${heights.map((height) => `V${height}h1`).join("")}V1z`;
}

/**
 * The mean of the values, the largest one, and where that is; null where there is none.
 *
 * @param {readonly (number | null)[]} values
 */
export function summaryOf(values) {
  let [sum, count, at] = [0, 0, -1];
  values.forEach((value, index) => {
    if (value === null) return;
    sum += value;
    count += 1;
    if (at < 0 || value > /** @type {number} */ (values[at])) at = index;
  });
  return count === 0 ? null : { mean: sum / count, most: /** @type {number} */ (values[at]), at };
}
