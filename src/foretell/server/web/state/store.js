/** What the reader has on the page: one tree of branches, settings, and which token is in focus. */

import { computed, signal } from "@preact/signals";
import { EMPTY_PROMPT, branchOf, newTree, tokensOfBranch } from "./tree.js";

/** @type {import("@preact/signals").Signal<import("./tree.js").Tree>} */
export const tree = signal(newTree(EMPTY_PROMPT));

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

/**
 * Show another branch; the focus stays where both have the same tokens.
 *
 * @param {string} id
 */
export function show(id) {
  tree.value = { ...tree.value, current: id };
  if (focus.value !== null && focus.value >= tokens.value.length) focus.value = null;
}
