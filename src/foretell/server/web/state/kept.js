/** Small choices of the reader that this browser keeps: language, theme, lessons. */

const PREFIX = "foretell-";

/**
 * What was kept under a name; null where nothing was, or the browser keeps nothing.
 *
 * @param {string} name
 */
export function recall(name) {
  try {
    return globalThis.localStorage?.getItem(PREFIX + name) ?? null;
  } catch {
    return null; // the reader has forbidden it
  }
}

/**
 * @param {string} name
 * @param {string | null} value null: nothing is kept
 */
export function remember(name, value) {
  try {
    if (value === null) globalThis.localStorage?.removeItem(PREFIX + name);
    else globalThis.localStorage?.setItem(PREFIX + name, value);
  } catch {
    // full or forbidden: it counts until the page is left
  }
}
