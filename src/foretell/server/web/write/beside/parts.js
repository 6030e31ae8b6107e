/** A text cut at a token: a pure function. */

import { boxesOf } from "../../text/token.js";

/**
 * What comes before a token, its box (it may share characters with neighbours), and what comes after.
 *
 * @param {readonly import("../../text/token.js").Token[]} tokens
 * @param {number} position
 */
export function partsAt(tokens, position) {
  const boxes = boxesOf(tokens);
  const place = boxes.findIndex((box) => position < box.start + box.tokens.length);
  const cut = place < 0 ? boxes.length : place;
  const join = (/** @type {typeof boxes} */ some) => some.map((box) => box.text).join("");
  return { before: join(boxes.slice(0, cut)), at: boxes.slice(cut, cut + 1), after: join(boxes.slice(cut + 1)) };
}
