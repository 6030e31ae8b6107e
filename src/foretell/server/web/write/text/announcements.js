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
      announce(isWriting ? t("begun") : written(tokens.value.length - before));
    });
  });
}

/** @param {number} number of tokens */
function written(number) {
  return number === 1 ? t("ended_one", { reason: reason() }) : t("ended", { number, reason: reason() });
}

function reason() {
  const finish = current.value.finish?.reason;
  if (finish === "stop" || finish === "length" || finish === "aborted" || finish === "error") return t(`ended_${finish}`);
  return "";
}
