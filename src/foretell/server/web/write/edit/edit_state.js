/** Editing the text that is shown: what was not touched stays by its ids, on a branch of its own. */

import { signal } from "@preact/signals";
import { json } from "../../api/http.js";
import { goOn } from "../../state/generation.js";
import { leaveStepping } from "../../state/stepping.js";
import { focus, settings, tokens, tree } from "../../state/store.js";
import { withBranch, withFork } from "../../state/tree.js";
import { keptOf, typedTokens } from "./difference.js";

/** Whether the text is being edited. */
export const isEditing = signal(false);

export function beginEdit() {
  leaveStepping();
  isEditing.value = true;
}

export function cancelEdit() {
  isEditing.value = false;
}

/**
 * Make a branch of the edited text, unless nothing was changed.
 *
 * @param {string} text
 * @param {{ goesOn: boolean }} wishes whether the model goes on from its end
 */
export async function finishEdit(text, { goesOn }) {
  const before = tokens.value;
  const { num_kept, typed } = keptOf(before, text);
  const added = await tokenized(typed);
  isEditing.value = false;
  if (num_kept < before.length || added.length > 0) branchOff(num_kept, added);
  if (goesOn) await goOn();
}

/**
 * @param {string} typed
 * @returns {Promise<import("../../text/token.js").Token[]>}
 */
async function tokenized(typed) {
  if (typed === "") return [];
  const body = { prompt: typed, add_special_tokens: false, parse_special: false, return_token_strs: true };
  const { tokens: ids, token_strs: names } = await json("tokenize", body);
  return typedTokens(typed, ids, names);
}

/**
 * @param {number} num_kept
 * @param {import("../../text/token.js").Token[]} added
 */
function branchOff(num_kept, added) {
  const forked = withFork(tree.value, tree.value.current, num_kept, added, settings.value);
  tree.value = withBranch(forked, forked.current, { finish: null });
  focus.value = null;
}
