/** What is shown of the text, and which token is looked at. */

import { computed, effect, signal } from "@preact/signals";
import { focus, tokens, tree } from "../../state/store.js";
import { EMPTY_PAGE, boxStartOf, pageOf } from "../../text/blocks.js";

/** How the tokens are shaded. */
export const measure = signal(/** @type {import("../../text/shade.js").Measure | "none"} */ ("probability"));

/** Whether the text is shown as a table. */
export const isTable = signal(false);

/** The tokens that are shown: the branch's, taken over once a frame while it is written. */
export const shownTokens = signal(tokens.peek());

/** The same in blocks. */
export const page = signal(EMPTY_PAGE);

/** The number of the token that the pointer is on; null: it is on none. */
export const hovered = signal(/** @type {number | null} */ (null));

/** The number of the token that is looked at: under the pointer, or else in focus. */
export const lookedAt = computed(() => within(hovered.value) ?? within(focus.value));

/** @param {number | null} index */
function within(index) {
  return index !== null && index < shownTokens.value.length ? index : null;
}

let isAwaited = false;

effect(() => {
  void tree.value;
  if (isAwaited) return;
  isAwaited = true;
  requestAnimationFrame(takeOver);
});

function takeOver() {
  isAwaited = false;
  shownTokens.value = tokens.peek();
  page.value = pageOf(shownTokens.value, page.peek());
}

/**
 * Put a token in focus, and the keyboard's focus on it.
 *
 * @param {number} index
 */
export function goTo(index) {
  hovered.value = null;
  focus.value = index;
  const element = elementOf(index) ?? elementOf(boxStartOf(page.peek(), index));
  element?.focus();
}

/**
 * @param {number} index
 * @returns {HTMLElement | null}
 */
function elementOf(index) {
  return document.querySelector(`.text [data-index="${index}"]`);
}
