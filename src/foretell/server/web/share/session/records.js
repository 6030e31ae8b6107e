/**
 * Trees as they are kept: a head, and the tokens of its branches in blocks, so that a long text is
 * not written anew for each of its tokens. Pure functions.
 *
 * @typedef {import("../../state/tree.js").Tree} Tree
 * @typedef {import("../../state/tree.js").Branch} Branch
 * @typedef {import("../../text/token.js").Token} Token
 *
 * @typedef {Omit<Branch, "tokens"> & { num_tokens: number }} BranchHead
 * @typedef {Omit<Tree, "branches"> & { branches: BranchHead[] }} Head
 *
 * @typedef {[string, string, number]} BlockKey tree, branch, number of the block
 * @typedef {{ key: BlockKey, tokens: Token[] }} Block
 */

/** Tokens of a block. */
export const BLOCK = 64;

/**
 * @param {Tree} tree
 * @returns {Head}
 */
export function headOf(tree) {
  const branches = tree.branches.map(({ tokens, ...branch }) => ({ ...branch, num_tokens: tokens.length }));
  return { ...tree, branches };
}

/**
 * The blocks of a tree that are not in an earlier state of it.
 *
 * @param {Tree} tree
 * @param {Tree | undefined} before
 * @returns {Block[]}
 */
export function changedBlocks(tree, before) {
  const known = new Map(before?.branches.map((branch) => [branch.id, branch.tokens]));
  return tree.branches.flatMap((branch) => {
    const old = known.get(branch.id) ?? [];
    if (old === branch.tokens) return [];
    return blocksOf(tree.id, branch).filter(({ key, tokens }) => !isThere(old, key[2] * BLOCK, tokens));
  });
}

/**
 * @param {string} tree
 * @param {Branch} branch
 * @returns {Block[]}
 */
function blocksOf(tree, branch) {
  const blocks = [];
  for (let start = 0; start < branch.tokens.length; start += BLOCK) {
    const key = /** @type {BlockKey} */ ([tree, branch.id, start / BLOCK]);
    blocks.push({ key, tokens: branch.tokens.slice(start, start + BLOCK) });
  }
  return blocks;
}

/**
 * Whether the same tokens stand in the same place. One that has come since is a difference.
 *
 * @param {readonly Token[]} old
 * @param {number} start
 * @param {readonly Token[]} tokens
 */
function isThere(old, start, tokens) {
  return tokens.every((token, index) => token === old[start + index]);
}

/**
 * The tree of a head and its blocks.
 *
 * @param {Head} head
 * @param {readonly Block[]} blocks in the order of their keys
 * @returns {Tree}
 */
export function treeOf(head, blocks) {
  const tokens = tokensByBranch(blocks);
  const branches = head.branches.map(({ num_tokens, ...branch }) => ({
    ...branch,
    tokens: (tokens.get(branch.id) ?? []).slice(0, num_tokens),
  }));
  return { ...head, branches };
}

/**
 * The tokens of blocks, by their branches: as far as no block is missing.
 *
 * @param {readonly Block[]} blocks in the order of their keys
 * @returns {Map<string, Token[]>}
 */
export function tokensByBranch(blocks) {
  /** @type {Map<string, Token[]>} */
  const found = new Map();
  for (const { key, tokens: some } of blocks) {
    const [, branch, number] = key;
    const before = found.get(branch) ?? [];
    if (before.length === number * BLOCK) found.set(branch, [...before, ...some]);
  }
  return found;
}

/**
 * Whether a tree that was read can be shown: its branches leave others where these have tokens.
 *
 * @param {Tree} tree
 */
export function isSound({ branches, current }) {
  /** @type {Map<string | null, number>} */
  const ends = new Map();
  for (const { id, parent, start, tokens } of branches) {
    const most = parent === null ? 0 : ends.get(parent);
    if (most === undefined || start > most || (parent === null && ends.size > 0)) return false;
    ends.set(id, start + tokens.length);
  }
  return ends.has(current);
}
