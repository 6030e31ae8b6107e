/** The keyboard's way through the tree. */

import { ROOT, neighbour } from "./layout.js";
import { focus, layout } from "./state.js";

/** The place that the keyboard goes to as soon as it is drawn. @type {string | null} */
let keyboardTo = null;

/** @param {string} key @returns {boolean} whether it is one that walks through the tree */
export function walk(key) {
  if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(key)) return false;
  const next = neighbour(layout.value.places, focus.value ?? ROOT, key);
  if (next === null) return true;
  keyboardTo = next;
  focus.value = next;
  return true;
}

/** @param {HTMLElement | null} frame */
export function focusWanted(frame) {
  if (keyboardTo === null || frame === null) return;
  const found = /** @type {SVGElement | null} */ (frame.querySelector(`[data-place="${keyboardTo}"]`));
  if (found === null) return;
  keyboardTo = null;
  found.focus({ preventScroll: true });
}
