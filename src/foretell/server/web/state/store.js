/** What the reader has on the page: trees of branches, settings, and which token is in focus. */

import { computed, effect, signal } from "@preact/signals";
import { EMPTY_PROMPT, branchOf, isBare, isSamePrompt, newTree, tokensOfBranch } from "./tree.js";

/**
 * @typedef {import("./tree.js").Tree} Tree
 * @typedef {import("./tree.js").Prompt} Prompt
 */

/** The tree that is shown. Where another takes its place it is not lost: see `shelf`. */
export const tree = signal(newTree(EMPTY_PROMPT));

/** The other trees of this session, the latest first. */
export const shelf = signal(/** @type {Tree[]} */ ([]));

/** The prompt as it stands in its box: the tree's, until the reader changes it. */
export const draft = signal(/** @type {Prompt} */ (EMPTY_PROMPT));

/** The settings of the next request, by the server's names: only those that the reader set. */
export const settings = signal(/** @type {import("./tree.js").Settings} */ ({}));

/** The number of the token in focus, counted over the whole branch; null: none is. */
export const focus = signal(/** @type {number | null} */ (null));

/** The branch that is shown. */
export const current = computed(() => branchOf(tree.value, tree.value.current));

/** All its tokens. */
export const tokens = computed(() => tokensOfBranch(tree.value, tree.value.current));

/** The token in focus, if one is. */
export const focused = computed(() => (focus.value === null ? null : (tokens.value[focus.value] ?? null)));

/** Whether the prompt in the box is another than the one that the text goes on from. */
export const isPromptChanged = computed(() => !isSamePrompt(draft.value, tree.value.prompt));

let shown = tree.peek();

effect(() => {
  const now = tree.value;
  const before = shown;
  shown = now;
  if (now.id !== before.id) turnTo(now, before);
});

/**
 * Another tree is shown: the one before goes onto the shelf, if it has a text.
 *
 * @param {Tree} now
 * @param {Tree} before
 */
function turnTo(now, before) {
  const others = shelf.peek().filter((one) => one.id !== now.id && one.id !== before.id);
  shelf.value = isBare(before) ? others : [before, ...others];
  draft.value = now.prompt;
  focus.value = null;
}

/**
 * Show another branch; the focus stays where both have the same tokens.
 *
 * @param {string} id
 */
export function show(id) {
  tree.value = { ...tree.value, current: id };
  if (focus.value !== null && focus.value >= tokens.value.length) focus.value = null;
}

/**
 * Change a tree of this session, whether it is the one that is shown or not. It may be gone by now.
 *
 * @param {string} id
 * @param {(tree: Tree) => Tree} change
 */
export function changeTree(id, change) {
  if (tree.peek().id === id) tree.value = change(tree.peek());
  else if (shelf.peek().some((one) => one.id === id)) {
    shelf.value = shelf.peek().map((one) => (one.id === id ? change(one) : one));
  }
}

/**
 * A tree of this session; undefined where it is gone.
 *
 * @param {string} id
 */
export function treeOf(id) {
  return [tree.peek(), ...shelf.peek()].find((one) => one.id === id);
}

/** @param {string} id of a tree that is to be shown */
export function openTree(id) {
  const found = treeOf(id);
  if (found) tree.value = found;
}

/** The tree that was discarded last; null: none, or it is back. */
export const discarded = signal(/** @type {Tree | null} */ (null));

/** @param {string} id of a tree on the shelf that is no longer wanted */
export function discardTree(id) {
  discarded.value = shelf.peek().find((one) => one.id === id) ?? null;
  shelf.value = shelf.peek().filter((one) => one.id !== id);
}

/** Put the tree that was discarded last back onto the shelf. */
export function recoverTree() {
  if (discarded.value !== null) shelf.value = [discarded.value, ...shelf.peek()];
  discarded.value = null;
}

/**
 * Another prompt. A tree without a text takes it at once; one with a text keeps its own, and
 * generating begins a new tree.
 *
 * @param {Prompt} prompt
 */
export function changePrompt(prompt) {
  draft.value = prompt;
  if (isBare(tree.peek())) tree.value = { ...tree.peek(), prompt };
}
