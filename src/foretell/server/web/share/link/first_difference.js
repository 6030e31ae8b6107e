/** Where a text that was written again first differs from what it was: pure functions. */

import { textOf } from "../../text/token.js";

/**
 * @param {readonly import("../../text/token.js").Token[]} again
 * @param {string} text what they should say
 * @returns {{ num_tokens: number, num_characters: number, isWhole: boolean }} tokens and characters that
 *   say it; whether one of the two is the beginning of the other
 */
export function commonBeginning(again, text) {
  const whole = textOf(again);
  if (whole.startsWith(text) || text.startsWith(whole)) {
    return { num_tokens: again.length, num_characters: Math.min(whole.length, text.length), isWhole: true };
  }
  let num_tokens = 0;
  while (text.startsWith(textOf(again.slice(0, num_tokens + 1)))) num_tokens += 1;
  return { num_tokens, num_characters: textOf(again.slice(0, num_tokens)).length, isWhole: false };
}

/**
 * The position of the token that a character of a text belongs to.
 *
 * @param {readonly import("../../text/token.js").Token[]} tokens
 * @param {number} character
 */
export function tokenAt(tokens, character) {
  let end = 0;
  const found = tokens.findIndex((token) => (end += token.text.length) > character);
  return found < 0 ? tokens.length : found;
}
