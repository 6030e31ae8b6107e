/** Which keys belong to the page, and which to what has the focus. Pure functions. */

/** What takes any key itself: fields, and lists that are opened. */
const FIELDS = "textarea, select, input, [contenteditable]:not([contenteditable='false'])";

/** What moves by arrows itself. */
const MOVABLE = "[role='tab'], [role='treeitem'], [role='slider'], [role='option'], [role='menuitem'], [role='separator']";

/**
 * Whether a key is the page's to act on: it is no shortcut of the browser, nobody has acted on it,
 * and what has the focus does not want it.
 *
 * @param {{ key: string, ctrlKey: boolean, altKey: boolean, metaKey: boolean, isComposing: boolean,
 *   defaultPrevented: boolean, target: EventTarget | null }} event
 */
export function isForPage(event) {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return false;
  const target = /** @type {Element | null} */ (event.target);
  if (!target?.closest) return true;
  if (target.closest(FIELDS) !== null || target.closest("dialog") !== null) return false;
  return target.closest(MOVABLE) === null || isLetter(event.key);
}

/** @param {string} key whether it writes a character */
function isLetter(key) {
  return key.length === 1 && key !== " ";
}
