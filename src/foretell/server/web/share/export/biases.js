/** Biases by tokens, in the forms in which they come: pure. */

/**
 * @param {any} value pairs, as the server tells them, or an object, as the form has them
 * @returns {[string | number | number[], number | string][]} by ids, texts, or lists of ids
 */
export function biasesOf(value) {
  if (Array.isArray(value)) return value;
  return Object.entries(value).map(([token, bias]) => [/^\d+$/.test(token) ? Number(token) : token, bias]);
}
