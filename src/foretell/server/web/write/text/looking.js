/** What pointer and focus do over tokens: the pointer previews one, a click or the focus keeps it. */

import { focus } from "../../state/store.js";
import { boxStartOf } from "../../text/blocks.js";
import { hasMoved } from "./pointer.js";
import { hovered, page } from "./text_state.js";

/** Handlers of an element whose descendants with `data-index` are tokens. */
export const looking = {
  onPointerOver: preview,
  onPointerLeave: endPreview,
  onClick: keep,
  onFocusIn: keep,
};

/** @param {Event} event */
function indexOf(event) {
  const token = /** @type {Element} */ (event.target).closest("[data-index]");
  return token === null ? null : Number(token.getAttribute("data-index"));
}

/** @param {PointerEvent} event */
function preview(event) {
  if (!hasMoved(event)) return;
  const index = indexOf(event);
  if (index !== null) hovered.value = index;
}

/** The last one that was looked at stays where none is in focus. */
function endPreview() {
  if (focus.value !== null) hovered.value = null;
}

/** @param {Event} event */
function keep(event) {
  const index = indexOf(event);
  if (index === null) return;
  const isThere = focus.value !== null && boxStartOf(page.peek(), focus.value) === index;
  if (!isThere) focus.value = index;
  if (event.type === "focusin") hovered.value = null;
}
