/** The key that this server wants, if it wants one: kept for this tab alone. */

import { signal } from "@preact/signals";

const NAME = "foretell-key";

export const isKeyNeeded = signal(false);

export const key = signal(readKey());

function readKey() {
  return globalThis.sessionStorage?.getItem(NAME) ?? "";
}

/** @param {string} text the key to use from now on */
export function useKey(text) {
  sessionStorage.setItem(NAME, text);
  key.value = text;
  isKeyNeeded.value = false;
}
