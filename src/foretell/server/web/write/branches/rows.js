/**
 * The tree of branches as rows: pure functions.
 *
 * @typedef {import("../../state/tree.js").Branch} Branch
 * @typedef {import("../../state/tree.js").Tree} Tree
 *
 * @typedef {Object} Row
 * @property {Branch} branch
 * @property {number} level 1 is the root's
 * @property {number} place among its siblings, from 1
 * @property {number} num_siblings
 * @property {number} num_children
 * @property {boolean} isOpen whether its children's rows follow
 */

import { textOf } from "../../text/token.js";
import { childrenOf } from "../../state/tree.js";

/**
 * The rows that are seen, from top to bottom.
 *
 * @param {Tree} tree
 * @param {ReadonlySet<string>} closed branches whose children are not shown
 * @returns {Row[]}
 */
export function rowsOf(tree, closed) {
  return rowsBelow(tree, closed, null, 1);
}

/**
 * @param {Tree} tree
 * @param {ReadonlySet<string>} closed
 * @param {string | null} parent
 * @param {number} level
 * @returns {Row[]}
 */
function rowsBelow(tree, closed, parent, level) {
  const siblings = childrenOf(tree, parent);
  return siblings.flatMap((branch, index) => {
    const num_children = childrenOf(tree, branch.id).length;
    const isOpen = num_children > 0 && !closed.has(branch.id);
    const row = { branch, level, place: index + 1, num_siblings: siblings.length, num_children, isOpen };
    return [row, ...(isOpen ? rowsBelow(tree, closed, branch.id, level + 1) : [])];
  });
}

/**
 * The row that a key leads to from a row, and what becomes of its children; null: none of a tree's.
 *
 * @param {readonly Row[]} rows
 * @param {number} index
 * @param {string} key
 * @returns {{ index: number } | { toggle: string } | null}
 */
export function moveOf(rows, index, key) {
  const row = rows[index];
  const last = rows.length - 1;
  if (key === "ArrowDown") return { index: Math.min(index + 1, last) };
  if (key === "ArrowUp") return { index: Math.max(index - 1, 0) };
  if (key === "Home") return { index: 0 };
  if (key === "End") return { index: last };
  if (key === "ArrowRight" && row.num_children > 0) return row.isOpen ? { index: index + 1 } : { toggle: row.branch.id };
  if (key === "ArrowLeft" && row.isOpen) return { toggle: row.branch.id };
  if (key === "ArrowLeft" && row.level > 1) return { index: rows.findIndex((one) => one.branch.id === row.branch.parent) };
  return null;
}

const NUM_BEGINNING = 12;

/** @param {Branch} branch how its own text begins, in one line; a token that ends it is no part of that */
export function beginningOf({ tokens, finish }) {
  const isEnded = ["eos", "token"].includes(finish?.stop?.kind);
  const own = isEnded ? tokens.slice(0, -1) : tokens;
  const text = textOf(own.slice(0, NUM_BEGINNING)).replace(/\s+/g, " ").trim();
  return own.length > NUM_BEGINNING ? `${text}…` : text;
}
