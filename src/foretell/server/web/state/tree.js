/**
 * The tree of branches of one prompt: pure functions on plain data, which is never changed in place.
 *
 * A branch shares the first `start` tokens of its parent and goes on with its own. All branches of a
 * tree have the prompt of the tree. Positions count the tokens after the prompt.
 *
 * @typedef {import("../text/token.js").Token} Token
 * @typedef {import("./runs.js").Run} Run
 * @typedef {Record<string, any>} Settings of a request, by the names of the server
 *
 * @typedef {Object} Prompt
 * @property {"text" | "chat"} mode
 * @property {string} text
 * @property {{ role: string, content: string }[]} messages
 * @property {number[] | null} ids null until the server was asked
 *
 * @typedef {Object} Finish
 * @property {string} reason "stop", "length", "aborted" or "error"
 * @property {any} stop what exactly ended it, as the server says; the message of an error
 *
 * @typedef {Object} Branch
 * @property {string} id
 * @property {string | null} parent
 * @property {number} start tokens of the parent that it shares; 0 where there is none
 * @property {Token[]} tokens its own
 * @property {string} name "" where the reader gave none
 * @property {string} note
 * @property {Settings} settings those it was written with last
 * @property {Finish | null} finish null while it is written, or where it was never run
 * @property {Run[]} runs the requests that wrote its tokens; what no run has was chosen or typed
 *
 * @typedef {Object} Tree
 * @property {string} id
 * @property {string} model whose tokens its texts are made of; "" until it has one
 * @property {Prompt} prompt
 * @property {Branch[]} branches parents before their children
 * @property {string} current the branch that is shown
 */

import { newId } from "./ids.js";
import { clipped, extended } from "./runs.js";

/** @type {Prompt} */
export const EMPTY_PROMPT = { mode: "text", text: "", messages: [], ids: null };

/**
 * A tree of one empty branch.
 *
 * @param {Prompt} prompt
 * @param {Settings} [settings]
 * @returns {Tree}
 */
export function newTree(prompt, settings = {}) {
  const root = newBranch(null, 0, [], settings);
  return { id: newId(), model: "", prompt, branches: [root], current: root.id };
}

/**
 * @param {string | null} parent
 * @param {number} start
 * @param {Token[]} tokens
 * @param {Settings} settings
 * @returns {Branch}
 */
function newBranch(parent, start, tokens, settings) {
  return { id: newId(), parent, start, tokens, name: "", note: "", settings, finish: null, runs: [] };
}

/** @param {Tree} tree whether nothing was written in it yet */
export function isBare(tree) {
  return tree.branches.length === 1 && tree.branches[0].tokens.length === 0;
}

/**
 * Whether two prompts ask for the same.
 *
 * @param {Prompt} one
 * @param {Prompt} other
 */
export function isSamePrompt(one, other) {
  if (one.mode !== other.mode) return false;
  if (one.mode === "text") return one.text === other.text;
  return JSON.stringify(one.messages) === JSON.stringify(other.messages);
}

/**
 * @param {Tree} tree
 * @param {string} id
 * @returns {Branch}
 */
export function branchOf(tree, id) {
  const found = tree.branches.find((one) => one.id === id);
  if (!found) throw new Error(`there is no branch ${id}`);
  return found;
}

/**
 * @param {Tree} tree
 * @param {string} id
 */
export function hasBranch(tree, id) {
  return tree.branches.some((one) => one.id === id);
}

/**
 * The branch and those above it, the root first.
 *
 * @param {Tree} tree
 * @param {string} id
 * @returns {Branch[]}
 */
export function pathOf(tree, id) {
  const branch = branchOf(tree, id);
  return branch.parent === null ? [branch] : [...pathOf(tree, branch.parent), branch];
}

/**
 * Those that leave a branch, by where they leave it.
 *
 * @param {Tree} tree
 * @param {string | null} id
 */
export function childrenOf(tree, id) {
  return tree.branches.filter((one) => one.parent === id).sort((one, other) => one.start - other.start);
}

/**
 * All tokens of a branch, those it shares with its parents before its own.
 *
 * @param {Tree} tree
 * @param {string} id
 * @returns {Token[]}
 */
export function tokensOfBranch(tree, id) {
  const branch = branchOf(tree, id);
  if (branch.parent === null) return branch.tokens;
  return [...tokensOfBranch(tree, branch.parent).slice(0, branch.start), ...branch.tokens];
}

/** @param {Branch} branch how many tokens there are up to its end */
export function endOf(branch) {
  return branch.start + branch.tokens.length;
}

/**
 * The runs that wrote the tokens of a branch, its parents' as far as it shares them.
 *
 * @param {Tree} tree
 * @param {string} id
 * @returns {Run[]}
 */
export function runsOfBranch(tree, id) {
  const branch = branchOf(tree, id);
  if (branch.parent === null) return branch.runs;
  return [...clipped(runsOfBranch(tree, branch.parent), branch.start), ...branch.runs];
}

/**
 * A tree with one branch changed.
 *
 * @param {Tree} tree
 * @param {string} id
 * @param {Partial<Branch>} changes
 * @returns {Tree}
 */
export function withBranch(tree, id, changes) {
  const branches = tree.branches.map((one) => (one.id === id ? { ...one, ...changes } : one));
  return { ...tree, branches };
}

/**
 * A tree with tokens added to a branch's end.
 *
 * @param {Tree} tree
 * @param {string} id
 * @param {readonly Token[]} tokens
 * @returns {Tree}
 */
export function withTokens(tree, id, tokens) {
  return withBranch(tree, id, { tokens: [...branchOf(tree, id).tokens, ...tokens] });
}

/**
 * The same, where the branch's last run wrote them.
 *
 * @param {Tree} tree
 * @param {string} id
 * @param {readonly Token[]} tokens
 * @returns {Tree}
 */
export function withWritten(tree, id, tokens) {
  const branch = branchOf(tree, id);
  const runs = extended(branch.runs, tokens.length);
  return withBranch(tree, id, { tokens: [...branch.tokens, ...tokens], runs });
}

/**
 * A tree in which a new branch leaves another after so many of its tokens, and is shown.
 *
 * The branch's parent is the one that owns the token before: forks of one place are siblings.
 *
 * @param {Tree} tree
 * @param {string} id the branch that is left
 * @param {number} start how many of its tokens the new one shares
 * @param {Token[]} tokens the new one's first
 * @param {Settings} settings
 * @returns {Tree}
 */
export function withFork(tree, id, start, tokens, settings) {
  const branch = newBranch(ownerOf(tree, id, start), start, tokens, settings);
  return { ...tree, branches: [...tree.branches, branch], current: branch.id };
}

/**
 * The branch that has a position as its own: going up from a branch, the first that begins before it.
 *
 * @param {Tree} tree
 * @param {string} id
 * @param {number} start
 */
function ownerOf(tree, id, start) {
  let branch = branchOf(tree, id);
  while (branch.parent !== null && start <= branch.start) branch = branchOf(tree, branch.parent);
  return branch.id;
}

/**
 * A branch and all that leave it, and those that leave these.
 *
 * @param {Tree} tree
 * @param {string} id
 * @returns {Branch[]}
 */
export function withDescendants(tree, id) {
  const found = new Set([id]);
  for (const one of tree.branches) if (one.parent !== null && found.has(one.parent)) found.add(one.id);
  return tree.branches.filter((one) => found.has(one.id));
}

/**
 * A tree without a branch and all that leave it; the root cannot be taken out.
 *
 * @param {Tree} tree
 * @param {string} id
 * @returns {Tree}
 */
export function withoutBranch(tree, id) {
  const branch = branchOf(tree, id);
  if (branch.parent === null) return tree;
  const gone = new Set(withDescendants(tree, id).map((one) => one.id));
  const branches = tree.branches.filter((one) => !gone.has(one.id));
  return { ...tree, branches, current: gone.has(tree.current) ? branch.parent : tree.current };
}

/**
 * A tree with branches that were taken out, put back where their parents are still there.
 *
 * @param {Tree} tree
 * @param {readonly Branch[]} branches parents before their children
 * @returns {Tree}
 */
export function withBranchesBack(tree, branches) {
  const known = new Set(tree.branches.map((one) => one.id));
  const back = branches.filter((one) => {
    if (known.has(one.id) || one.parent === null || !known.has(one.parent)) return false;
    known.add(one.id);
    return true;
  });
  if (back.length === 0) return tree;
  return { ...tree, branches: [...tree.branches, ...back], current: back[0].id };
}

/**
 * The branches that have all tokens before a position in common with one and go on there: the one
 * that has the position as its own first, then those that leave it there.
 *
 * @param {Tree} tree
 * @param {string} id
 * @param {number} position
 * @returns {Branch[]}
 */
export function siblingsAt(tree, id, position) {
  const owner = branchOf(tree, ownerOf(tree, id, position));
  const leaving = tree.branches.filter((one) => one.parent === owner.id && one.start === position);
  return endOf(owner) > position || leaving.length === 0 ? [owner, ...leaving] : leaving;
}

/**
 * A branch that says the same as another one, from the place on at which it leaves; undefined: none.
 *
 * @param {Tree} tree
 * @param {string} id
 */
export function twinOf(tree, id) {
  const { start } = branchOf(tree, id);
  const own = tokensOfBranch(tree, id);
  return siblingsAt(tree, id, start).find((one) => {
    if (one.id === id) return false;
    const other = tokensOfBranch(tree, one.id);
    return other.length === own.length && firstDifferenceOf(own, other) === own.length;
  });
}

/**
 * Positions at which there is more than one way to go on from the tokens of a branch.
 *
 * @param {Tree} tree
 * @param {string} id
 * @returns {number[]} ascending
 */
export function forksAlong(tree, id) {
  const path = pathOf(tree, id);
  const places = path.flatMap((branch, index) => {
    const until = index + 1 < path.length ? path[index + 1].start : Infinity;
    return childrenOf(tree, branch.id).map((one) => one.start).filter((start) => start <= until);
  });
  const found = [...new Set(places)].sort((one, other) => one - other);
  return found.filter((position) => siblingsAt(tree, id, position).length > 1);
}

/**
 * The first position at which two branches have different tokens, which is where the shorter one
 * ends if they do not differ before.
 *
 * @param {Tree} tree
 * @param {string} one
 * @param {string} other
 */
export function firstDifference(tree, one, other) {
  return firstDifferenceOf(tokensOfBranch(tree, one), tokensOfBranch(tree, other));
}

/**
 * @param {readonly { id: number }[]} one
 * @param {readonly { id: number }[]} other
 */
export function firstDifferenceOf(one, other) {
  const found = one.findIndex((token, index) => token.id !== other[index]?.id);
  return found < 0 ? one.length : found;
}
