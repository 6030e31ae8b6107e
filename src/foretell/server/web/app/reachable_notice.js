/** Tells when the server is gone, and when it is back. */

import { effect, untracked } from "@preact/signals";
import { isReachable } from "../api/reachable.js";
import { announce, tell, untell } from "./notices.js";
import { t } from "./texts.js";

export function followReachable() {
  let gone = "";
  return effect(() => {
    const isThere = isReachable.value;
    untracked(() => {
      if (!isThere) tell("warning", (gone = t("unreachable")));
      else if (gone !== "") {
        untell(gone);
        announce(t("reached"));
        gone = "";
      }
    });
  });
}
