/**
 * Steps of tokens that are in the browser's database and not in memory: they are most of what a token
 * takes, and are needed only where it is shown. Pure functions.
 *
 * @typedef {import("../../state/tree.js").Tree} Tree
 * @typedef {import("../../text/token.js").Token} Token
 * @typedef {ReadonlyMap<Token, Token>} Replacements tokens by those whose place they take
 */

import { pathOf } from "../../state/tree.js";

/** Tokens beside those that are shown whose steps stay in memory. */
export const MOST_IN_MEMORY = 2000;

/**
 * What takes the place of tokens so that few of those that are not shown have steps in memory.
 *
 * @param {readonly Tree[]} trees the one that is shown first, then the latest
 * @param {string | null} writing a branch that is being written
 * @param {number} [most]
 * @returns {Replacements}
 */
export function puttingAway(trees, writing, most = MOST_IN_MEMORY) {
  const [first] = trees;
  const inSight = new Set(pathOf(first, first.current).map((branch) => branch.id));
  const branches = trees.flatMap((tree) => tree.branches);
  const found = new Map();
  let left = most;
  for (const { id, tokens } of branches) {
    if (inSight.has(id) || id === writing) continue;
    const heavy = tokens.filter((token) => token.step !== null);
    left -= heavy.length;
    if (left < 0) for (const token of heavy) found.set(token, withoutStep(token));
  }
  return found;
}

/**
 * Written out: a copy to which a property is added has memory of its own for it.
 *
 * @param {Token} token
 * @returns {Token}
 */
function withoutStep({ id, text, bytes, origin, logprob, rank }) {
  return { id, text, bytes, origin, logprob, rank, step: null, isAway: true };
}

/**
 * A tree in which tokens are replaced.
 *
 * @param {Tree} tree
 * @param {Replacements} replacements
 * @returns {Tree}
 */
export function replaced(tree, replacements) {
  if (replacements.size === 0) return tree;
  let isChanged = false;
  const branches = tree.branches.map((branch) => {
    if (!branch.tokens.some((token) => replacements.has(token))) return branch;
    isChanged = true;
    return { ...branch, tokens: branch.tokens.map((token) => replacements.get(token) ?? token) };
  });
  return isChanged ? { ...tree, branches } : tree;
}

/**
 * What takes the place of tokens whose steps are away, as they were kept.
 *
 * @param {readonly Token[]} tokens
 * @param {readonly (Token | undefined)[]} kept the same ones with their steps
 * @returns {Replacements}
 */
export function bringingBack(tokens, kept) {
  const found = new Map();
  tokens.forEach((token, index) => {
    if (!isAway(token)) return;
    const { isAway: _, ...own } = token;
    const step = kept[index]?.id === token.id ? (kept[index]?.step ?? null) : null;
    found.set(token, { ...own, step });
  });
  return found;
}

/** @param {Token} token whether it has a step that is not in memory */
export function isAway(token) {
  return token.isAway === true;
}
