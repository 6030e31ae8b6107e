/**
 * What an edited text has in common with the tokens it was made from: pure functions.
 *
 * @typedef {import("../../text/token.js").Token} Token
 */

import { boxesOf, typedToken } from "../../text/token.js";

/**
 * The text that is edited: that of the boxes, so that each character is some box's. A field knows one
 * kind of line end only.
 *
 * @param {readonly Token[]} tokens
 */
export function editableText(tokens) {
  return fieldText(boxesOf(tokens).map((box) => box.text).join(""));
}

/** @param {string} text as a field gives it back */
function fieldText(text) {
  return text.replace(/\r\n?/g, "\n");
}

/**
 * How many tokens an edited text keeps from its beginning, and what is typed after them. Tokens that
 * share characters are kept together or not at all.
 *
 * @param {readonly Token[]} tokens
 * @param {string} text
 * @returns {{ num_kept: number, typed: string }}
 */
export function keptOf(tokens, text) {
  let end = 0;
  let num_kept = 0;
  let isAfterReturn = false;
  for (const box of boxesOf(tokens)) {
    const own = isAfterReturn && box.text.startsWith("\n") ? box.text.slice(1) : box.text;
    const shown = fieldText(own);
    if (!text.startsWith(shown, end)) break;
    end += shown.length;
    num_kept = box.start + box.tokens.length;
    isAfterReturn = box.text.endsWith("\r");
  }
  return { num_kept, typed: text.slice(end) };
}

/**
 * The tokens that a typed text makes, each with its exact bytes.
 *
 * @param {string} text
 * @param {readonly number[]} ids
 * @param {readonly string[]} names as the server shows them: parts of characters as `<EA B3>`
 * @returns {Token[]}
 */
export function typedTokens(text, ids, names) {
  const bytes = new TextEncoder().encode(text);
  let end = 0;
  return ids.map((id, index) => {
    const own = bytesOf(names[index], bytes.subarray(end));
    end += own.length;
    return typedToken(id, showOf(own, names[index]), own);
  });
}

/**
 * The bytes of a token by its name, in which parts of characters stand as `<EA B3>`. What is written
 * like that and yet meant as it stands is what the text says at this place.
 *
 * @param {string} name
 * @param {Uint8Array} rest the bytes of the text that are left
 * @returns {number[]}
 */
function bytesOf(name, rest) {
  /** @type {number[]} */
  const bytes = [];
  for (let place = 0; place < name.length; ) {
    const [literal] = name.slice(place);
    const own = [...new TextEncoder().encode(literal)];
    const isLiteral = own.every((byte, index) => rest[bytes.length + index] === byte);
    const part = isLiteral ? null : /^<([0-9A-F]{2}(?: [0-9A-F]{2})*)>/.exec(name.slice(place));
    bytes.push(...(part ? part[1].split(" ").map((one) => parseInt(one, 16)) : own));
    place += part ? part[0].length : literal.length;
  }
  return bytes;
}

/**
 * @param {number[]} bytes
 * @param {string} name
 */
function showOf(bytes, name) {
  const isWhole = !new TextDecoder().decode(Uint8Array.from(bytes)).includes("\ufffd");
  return isWhole ? new TextDecoder().decode(Uint8Array.from(bytes)) : name;
}
