/**
 * The tree of branches of one prompt: pure functions on plain data, which is never changed in place.
 *
 * A branch shares the first `start` tokens of its parent and goes on with its own. All branches of a
 * tree have the prompt of the tree.
 *
 * @typedef {import("../text/token.js").Token} Token
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
 * @property {any} stop what exactly ended it, as the server says
 *
 * @typedef {Object} Branch
 * @property {string} id
 * @property {string | null} parent
 * @property {number} start tokens of the parent that it shares; 0 where there is none
 * @property {Token[]} tokens its own
 * @property {string} name "" where the reader gave none
 * @property {string} note
 * @property {Settings} settings those it was written with
 * @property {Finish | null} finish null while it is written, or where it was never run
 *
 * @typedef {Object} Tree
 * @property {Prompt} prompt
 * @property {Branch[]} branches parents before their children
 * @property {string} current the branch that is shown
 */

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
  return { prompt, branches: [root], current: root.id };
}

/**
 * @param {string | null} parent
 * @param {number} start
 * @param {Token[]} tokens
 * @param {Settings} settings
 * @returns {Branch}
 */
function newBranch(parent, start, tokens, settings) {
  return { id: crypto.randomUUID(), parent, start, tokens, name: "", note: "", settings, finish: null };
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
 * A tree without a branch and all that leave it; the root cannot be taken out.
 *
 * @param {Tree} tree
 * @param {string} id
 * @returns {Tree}
 */
export function withoutBranch(tree, id) {
  const branch = branchOf(tree, id);
  if (branch.parent === null) return tree;
  const gone = new Set([id]);
  for (const one of tree.branches) if (one.parent !== null && gone.has(one.parent)) gone.add(one.id);
  const branches = tree.branches.filter((one) => !gone.has(one.id));
  return { ...tree, branches, current: gone.has(tree.current) ? branch.parent : tree.current };
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
  const [first, second] = [tokensOfBranch(tree, one), tokensOfBranch(tree, other)];
  const found = first.findIndex((token, index) => token.id !== second[index]?.id);
  return found < 0 ? first.length : found;
}
