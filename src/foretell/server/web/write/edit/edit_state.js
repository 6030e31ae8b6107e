/** Editing the text that is shown: what was not touched stays by its ids, on a branch of its own. */

import { signal } from "@preact/signals";
import { json } from "../../api/http.js";
import { goOn, promptIds } from "../../state/generation.js";
import { leaveStepping } from "../../state/stepping.js";
import { changeTree, focus, settings, tokens, tree } from "../../state/store.js";
import { branchOf, hasBranch, tokensOfBranch, withBranch, withFork } from "../../state/tree.js";
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
  if (added.length > 0) rate(tree.value, num_kept, added.length).catch(() => undefined); // then it is not told
  if (goesOn) await goOn();
}

/** Tokens that are rated in one go at most: the server computes all before them, too. */
const MOST_RATED = 4096;

/**
 * Find out how probable the model holds what was typed.
 *
 * @param {import("../../state/tree.js").Tree} edited
 * @param {number} start
 * @param {number} num_typed
 */
async function rate(edited, start, num_typed) {
  const id = edited.current;
  const own = tokensOfBranch(edited, id).slice(0, start + num_typed);
  const prompt = [...(await promptIds()), ...own.map((token) => token.id)];
  if (prompt.length < 2 || prompt.length > MOST_RATED) return;
  const { tokens: rated } = await json("v1/foretell/score", { prompt });
  changeTree(edited.id, (now) => withRatings(now, id, rated.slice(-num_typed)));
}

/**
 * The tree in which the first tokens of a branch have been rated.
 *
 * @param {import("../../state/tree.js").Tree} now
 * @param {string} id
 * @param {{ logprob: number | null, rank: number | null }[]} rated
 */
function withRatings(now, id, rated) {
  if (!hasBranch(now, id)) return now;
  const tokens = branchOf(now, id).tokens.map((token, index) =>
    index < rated.length ? { ...token, logprob: rated[index].logprob, rank: rated[index].rank } : token,
  );
  return withBranch(now, id, { tokens });
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
