/** Links in the page's address, and whether one's text is being written again. */

import { effect, signal, untracked } from "@preact/signals";
import { key } from "../api/key.js";
import { tell } from "../app/notices.js";

/** The part of an address, after `#`, in which a link's code stands. */
export const MARK = "text=";

/** Whether a link's text is being written again. */
export const isReplaying = signal(false);

/** Ends it. */
export const replay = { abort: new AbortController() };

/** Leave a link's text as the link has it. */
export function leaveReplaying() {
  replay.abort.abort();
}

/**
 * Opens the link of the page's address, if it has one; and later ones, and one that waits for a key.
 * What opens it is fetched then.
 */
export function followAddress() {
  const open = async () => {
    if (!location.hash.startsWith(`#${MARK}`)) return;
    try {
      const { openAddress } = await import("./link/open_link.js");
      await openAddress();
    } catch (error) {
      tell("error", String(error)); // the server that has the rest of the page is gone
    }
  };
  addEventListener("hashchange", open);
  effect(() => {
    void key.value;
    untracked(open);
  });
}
