/** The key that opens the list of keys: `?`, from anywhere but a field. */

import { signal } from "@preact/signals";
import { isForPage } from "./own_keys.js";

/** Whether the list is open. */
export const isHelpShown = signal(false);

/** Listens to the key; the function that is returned ends it. */
export function followKey() {
  /** @param {KeyboardEvent} event */
  const open = (event) => {
    if (event.key !== "?" || !isForPage(event)) return;
    event.preventDefault();
    isHelpShown.value = true;
  };
  document.addEventListener("keydown", open);
  return () => document.removeEventListener("keydown", open);
}
