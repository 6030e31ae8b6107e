/** The key that this server wants, if it wants one: kept for this tab alone. */

import { signal } from "@preact/signals";

const NAME = "foretell-key";

export const isKeyNeeded = signal(false);

export const key = signal(readKey());

function readKey() {
  try {
    return globalThis.sessionStorage?.getItem(NAME) ?? "";
  } catch {
    return ""; // this browser keeps nothing
  }
}

/** @param {string} text the key to use from now on */
export function useKey(text) {
  try {
    sessionStorage.setItem(NAME, text);
  } catch {
    // then it is asked for again after a reload
  }
  key.value = text;
  isKeyNeeded.value = false;
}
