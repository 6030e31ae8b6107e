/** Keys of the view "Write": through the text, to the alternatives, to the branches beside. */

import { isForPage } from "../app/keys/own_keys.js";
import { focus } from "../state/store.js";
import { nextUncertain } from "../text/shade.js";
import { showSibling } from "./branches/siblings.js";
import { goTo, hovered, shownTokens } from "./text/text_state.js";

/** @type {Record<string, (event: KeyboardEvent) => boolean>} each tells whether it did something */
const ACTIONS = {
  ArrowLeft: () => moveBy(-1),
  ArrowRight: () => moveBy(1),
  ArrowUp: () => moveInAlternatives(-1),
  ArrowDown: () => moveInAlternatives(1),
  Enter: (event) => isToken(event.target) && moveInAlternatives(1),
  Escape: goBack,
  u: goToUncertain,
  "[": () => showSibling(-1),
  "]": () => showSibling(1),
};

/** Act on keys from now on; gives the function that ends it. */
export function followKeys() {
  /** @param {KeyboardEvent} event */
  const act = (event) => {
    const action = ACTIONS[event.key];
    if (action !== undefined && isForPage(event) && action(event)) event.preventDefault();
  };
  document.addEventListener("keydown", act);
  return () => document.removeEventListener("keydown", act);
}

/** @param {number} by */
function moveBy(by) {
  const last = shownTokens.value.length - 1;
  if (last < 0) return false;
  const from = focus.value ?? (by > 0 ? -1 : last + 1);
  goTo(Math.max(0, Math.min(last, from + by)));
  return true;
}

/**
 * From the token in focus to its first alternative, and on through them; up from the first is the
 * token again.
 *
 * @param {number} by
 */
function moveInAlternatives(by) {
  if (focus.value === null) return false;
  hovered.value = null;
  const buttons = alternatives();
  const next = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement)) + by;
  if (next < 0) goTo(focus.value);
  else buttons[next]?.focus();
  return true;
}

function alternatives() {
  return [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".alternatives .take"))];
}

/** From the alternatives to the token; from the token to none. */
function goBack() {
  if (focus.value === null) return false;
  const isAtAlternatives = alternatives().includes(/** @type {HTMLElement} */ (document.activeElement));
  if (isAtAlternatives) goTo(focus.value);
  else focus.value = null;
  return true;
}

function goToUncertain() {
  const next = nextUncertain(shownTokens.value, focus.value);
  if (next !== null) goTo(next);
  return next !== null;
}

/** @param {EventTarget | null} target */
function isToken(target) {
  return target instanceof Element && target.matches(".text [data-index]");
}
