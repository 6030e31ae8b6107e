/** A text of another view becomes a branch in Write. */

import { announce } from "../app/notices.js";
import { tab } from "../app/view.js";
import { tree } from "../state/store.js";
import { withText } from "./taken.js";
import { t } from "./texts.js";

/** @param {import("./taken.js").TakenText} text is shown in Write from now on */
export function takeIntoWrite(text) {
  tree.value = withText(tree.value, text);
  tab.value = "write";
  announce(t("taken"));
}
