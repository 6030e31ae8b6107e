/** A text of another view becomes a branch in Write. */

import { json } from "../api/http.js";
import { announce } from "../app/notices.js";
import { tab } from "../app/view.js";
import { NUM_ALTERNATIVES } from "../state/generation.js";
import { settingsOfRun } from "../state/runs.js";
import { changeTree, tree } from "../state/store.js";
import { tokensOf } from "../text/token.js";
import { promptFields } from "./prompt.js";
import { withSteps, withText } from "./taken.js";
import { t } from "./texts.js";

/** @typedef {import("./taken.js").TakenText} TakenText */

/** @param {TakenText} text is shown in Write from now on */
export function takeIntoWrite(text) {
  const grown = withText(tree.value, text);
  tree.value = grown;
  tab.value = "write";
  announce(t("taken"));
  if (text.isRun) explain(text, grown.id, grown.current).catch(() => undefined); // it stays as it is, without reasons
}

/**
 * Has the text written again, this time with what each stage did to its tokens.
 *
 * @param {TakenText} text
 * @param {string} treeId
 * @param {string} branchId
 */
async function explain({ prompt, tokens, settings }, treeId, branchId) {
  const asked = settingsOfRun({ start: 0, end: tokens.length, settings });
  const again = tokensOf(await json("v1/foretell/explain", { ...promptFields(prompt), ...asked, logprobs: NUM_ALTERNATIVES }));
  changeTree(treeId, (now) => withSteps(now, branchId, again));
}
