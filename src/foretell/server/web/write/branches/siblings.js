/** From a branch to the one beside it: another way on from the same place. */

import { focus, show, tree } from "../../state/store.js";
import { forksAlong, siblingsAt } from "../../state/tree.js";

/**
 * Show the sibling before or after, at the token in focus where others leave there, else at the
 * nearest fork before it; with no focus, at the last fork of all.
 *
 * @param {-1 | 1} direction
 * @returns {boolean} whether there is one
 */
export function showSibling(direction) {
  const next = siblingOf(tree.value, focus.value, direction);
  if (next === null) return false;
  show(next);
  return true;
}

/**
 * @param {import("../../state/tree.js").Tree} from
 * @param {number | null} position
 * @param {-1 | 1} direction
 */
export function siblingOf(from, position, direction) {
  const forks = forksAlong(from, from.current);
  const place = position === null ? forks.at(-1) : (forks.findLast((one) => one <= position) ?? forks[0]);
  if (place === undefined) return null;
  const siblings = siblingsAt(from, from.current, place).map((one) => one.id);
  const here = placeAmong(from, siblings);
  return siblings[(here + direction + siblings.length) % siblings.length];
}

/**
 * Which of the siblings the branch that is shown goes through.
 *
 * @param {import("../../state/tree.js").Tree} from
 * @param {string[]} siblings the first may be the parent of the others
 */
function placeAmong(from, siblings) {
  const parents = new Map(from.branches.map((one) => [one.id, one.parent]));
  for (let id = /** @type {string | null | undefined} */ (from.current); id; id = parents.get(id)) {
    const found = siblings.indexOf(id);
    if (found >= 0) return found;
  }
  return 0;
}
