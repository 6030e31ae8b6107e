/** Tells screen readers when a text begins and ends; not each token. */

import { effect, untracked } from "@preact/signals";
import { announce } from "../../app/notices.js";
import { writing } from "../../state/generation.js";
import { current, tokens } from "../../state/store.js";
import { t } from "./texts.js";

/** Announce from now on; gives the function that ends it. */
export function followWriting() {
  let wasWriting = false;
  let before = 0;
  return effect(() => {
    const isWriting = writing.value !== null;
    if (isWriting === wasWriting) return;
    wasWriting = isWriting;
    untracked(() => {
      if (isWriting) before = tokens.value.length;
      announce(isWriting ? t("begun") : t("ended", { number: tokens.value.length - before, reason: reason() }));
    });
  });
}

function reason() {
  const finish = current.value.finish?.reason;
  if (finish === "stop" || finish === "length" || finish === "aborted" || finish === "error") return t(`ended_${finish}`);
  return "";
}
