/**
 * A text in blocks of boxes that stay the same objects while the text grows, so that only its end is
 * drawn anew. Pure functions.
 *
 * @typedef {import("./token.js").Token} Token
 * @typedef {import("./token.js").Box} Box
 *
 * @typedef {Object} Block
 * @property {number} start the number of its first token
 * @property {number} end of the token after its last
 * @property {Box[]} boxes
 * @property {boolean} endsLine whether the next block begins a new line
 *
 * @typedef {Object} Page
 * @property {readonly Token[]} tokens
 * @property {readonly Block[]} blocks
 */

import { boxesOf } from "./token.js";

/** Boxes of a block at most; a block may end at a line's end once it has half as many. */
export const BLOCK = 64;

/** @type {Page} */
export const EMPTY_PAGE = { tokens: [], blocks: [] };

/**
 * The blocks of tokens. Those of `before` whose tokens are the same are taken over.
 *
 * @param {readonly Token[]} tokens
 * @param {Page} [before]
 * @returns {Page}
 */
export function pageOf(tokens, before = EMPTY_PAGE) {
  if (tokens === before.tokens) return before;
  const kept = before.blocks.slice(0, numKept(tokens, before));
  const start = kept.at(-1)?.end ?? 0;
  return { tokens, blocks: [...kept, ...blocksOf(boxesOf(tokens, start), tokens.length)] };
}

/**
 * How many leading blocks are as they were: all but the last, which may grow, as far as the tokens
 * are the same.
 *
 * @param {readonly Token[]} tokens
 * @param {Page} before
 */
function numKept(tokens, before) {
  const { blocks } = before;
  let same = 0;
  while (same < tokens.length && tokens[same] === before.tokens[same]) same += 1;
  const unfit = blocks.findIndex((block) => block.end > same);
  const kept = Math.max(0, Math.min(unfit < 0 ? blocks.length : unfit, blocks.length - 1));
  return kept > 0 && isCutShort(blocks[kept - 1]) ? kept - 1 : kept;
}

/** @param {Block} block whether its last character may go on in another token than before */
function isCutShort(block) {
  return block.boxes[block.boxes.length - 1].text.endsWith("\ufffd");
}

/**
 * @param {readonly Box[]} boxes
 * @param {number} end the number of the token after the last box
 * @returns {Block[]}
 */
function blocksOf(boxes, end) {
  const blocks = [];
  for (let from = 0; from < boxes.length; ) {
    const to = endOfBlock(boxes, from);
    const part = boxes.slice(from, to);
    blocks.push({
      start: part[0].start,
      end: boxes[to]?.start ?? end,
      boxes: part,
      endsLine: part[part.length - 1].text.endsWith("\n"),
    });
    from = to;
  }
  return blocks;
}

/**
 * @param {readonly Box[]} boxes
 * @param {number} from
 */
function endOfBlock(boxes, from) {
  const most = Math.min(boxes.length, from + BLOCK);
  for (let to = from + BLOCK / 2; to < most; to += 1) if (boxes[to - 1].text.endsWith("\n")) return to;
  return most;
}

/**
 * Blocks by the paragraphs they stand in: a new one begins after a block that ends a line.
 *
 * @param {readonly Block[]} blocks
 * @returns {Block[][]}
 */
export function paragraphsOf(blocks) {
  /** @type {Block[][]} */
  const paragraphs = [];
  let isOpen = false;
  for (const block of blocks) {
    if (isOpen) paragraphs[paragraphs.length - 1].push(block);
    else paragraphs.push([block]);
    isOpen = !block.endsLine;
  }
  return paragraphs;
}

/**
 * The box that a token stands in; null where there is no such token.
 *
 * @param {Page} page
 * @param {number} index
 * @returns {Box | null}
 */
export function boxOf(page, index) {
  const block = page.blocks.find((one) => index < one.end);
  return block?.boxes.findLast((one) => one.start <= index) ?? null;
}

/**
 * The number of the first token of that box.
 *
 * @param {Page} page
 * @param {number} index
 */
export function boxStartOf(page, index) {
  return boxOf(page, index)?.start ?? index;
}
