/**
 * Texts of other views as branches of Write's tree. Pure functions on plain data.
 *
 * @typedef {import("../state/tree.js").Prompt} Prompt
 * @typedef {import("../state/tree.js").Tree} Tree
 * @typedef {import("../text/token.js").Token} Token
 *
 * @typedef {Object} TakenText
 * @property {Prompt} prompt
 * @property {Token[]} tokens
 * @property {Record<string, any>} settings that it was written with, its seed included
 * @property {import("../state/tree.js").Finish | null} finish
 * @property {boolean} isRun whether one request with these settings would write it in Write, too
 */

import { branchOf, hasBranch, newTree, withBranch, withFork } from "../state/tree.js";

/**
 * A tree with a branch of this text: the same tree if it has the same prompt, else a new one.
 *
 * @param {Tree} before
 * @param {TakenText} text
 * @returns {Tree}
 */
export function withText(before, { prompt, tokens, settings, finish, isRun }) {
  const isSame = promptKey(before.prompt) === promptKey(prompt);
  const grown = isSame
    ? withFork(before, before.branches[0].id, 0, tokens, settings)
    : withTokensOfRoot(newTree(prompt, settings), tokens);
  const runs = isRun ? [{ start: 0, end: tokens.length, settings }] : [];
  return withBranch(grown, grown.current, /** @type {object} */ ({ finish, runs }));
}

/**
 * The tree with a branch's first tokens as they were written again: the same ids, with their steps. It
 * stays as it is where they differ, or where the branch is gone.
 *
 * @param {Tree} tree
 * @param {string} branchId
 * @param {readonly Token[]} again
 * @returns {Tree}
 */
export function withSteps(tree, branchId, again) {
  if (!hasBranch(tree, branchId)) return tree;
  const { tokens } = branchOf(tree, branchId);
  const isSame = again.length <= tokens.length && again.every(({ id }, index) => id === tokens[index].id);
  return isSame ? withBranch(tree, branchId, { tokens: [...again, ...tokens.slice(again.length)] }) : tree;
}

/**
 * @param {Tree} tree
 * @param {Token[]} tokens
 */
function withTokensOfRoot(tree, tokens) {
  return withBranch(tree, tree.current, { tokens });
}

/** @param {Prompt} prompt */
function promptKey({ mode, text, messages }) {
  return JSON.stringify(mode === "chat" ? messages : text);
}
