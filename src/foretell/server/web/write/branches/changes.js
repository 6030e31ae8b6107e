/** Changes of branches: their names, notes, deletion and what undoes it. */

import { signal } from "@preact/signals";
import { changeTree, tree } from "../../state/store.js";
import { branchOf, withBranch, withBranchesBack, withDescendants, withoutBranch } from "../../state/tree.js";

/** The branch whose name is being written. */
export const renaming = signal(/** @type {string | null} */ (null));

/** What was deleted last, which can be undone. */
export const deleted = signal(
  /** @type {{ tree: string, branches: import("../../state/tree.js").Branch[] } | null} */ (null),
);

/**
 * @param {string} id
 * @param {string} name
 */
export function rename(id, name) {
  renaming.value = null;
  tree.value = withBranch(tree.value, id, { name: name.trim() });
}

/**
 * @param {string} id
 * @param {string} note
 */
export function annotate(id, note) {
  tree.value = withBranch(tree.value, id, { note });
}

/** @param {string} id of a branch to delete, with all below it; the root stays */
export function remove(id) {
  if (branchOf(tree.value, id).parent === null) return;
  deleted.value = { tree: tree.value.id, branches: withDescendants(tree.value, id) };
  tree.value = withoutBranch(tree.value, id);
}

export function undo() {
  const last = deleted.value;
  if (last !== null) changeTree(last.tree, (now) => withBranchesBack(now, last.branches));
  deleted.value = null;
}
