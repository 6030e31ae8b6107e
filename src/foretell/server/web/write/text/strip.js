/** How uncertain each token of the text was, as a chart below it. */

export function Strip() {
  return null;
}
