// text/token.js: tokens that share characters share a box.
import assert from "node:assert/strict";
import { test } from "node:test";
import { boxesOf, textOf, tokensOf, typedToken } from "../../../src/foretell/server/web/text/token.js";

const tokens = (...pieces) => pieces.map((bytes, id) => typedToken(id, "", bytes));
const bytesOf = (text) => [...new TextEncoder().encode(text)];

test("a token is a box", () => {
  const found = boxesOf(tokens(bytesOf("the"), bytesOf(" cat")));
  assert.deepEqual(found.map((box) => box.text), ["the", " cat"]);
});

test("the bytes of a character are one box", () => {
  const found = boxesOf(tokens(...bytesOf("가🙂").map((byte) => [byte])));
  assert.deepEqual(found.map((box) => [box.start, box.text]), [[0, "가"], [3, "🙂"]]);
});

test("bytes that are no character are shown as such", () => {
  const some = tokens([0xea], bytesOf("a"));
  assert.equal(boxesOf(some).map((box) => box.text).join(""), "\u{fffd}a");
  assert.equal(textOf(some), "\u{fffd}a");
});

test("a byte-order mark is a character as others", () => {
  assert.equal(textOf(tokens([0xef, 0xbb, 0xbf, 97])), "\u{feff}a");
});

test("a character that ends too soon does not take the next token in", () => {
  const found = boxesOf(tokens([0xf0, 0x9f], bytesOf("the"), [0xea], [0xeb], [0xb0], [0x80]));
  assert.deepEqual(found.map((box) => box.tokens.length), [1, 1, 1, 3]);
});

test("a token may end one character and begin another", () => {
  const [first, second] = [bytesOf("가"), bytesOf("🙂")];
  const found = boxesOf(tokens(first.slice(0, 2), [first[2], second[0]], second.slice(1), bytesOf("a")));
  assert.deepEqual(found.map((box) => [box.start, box.text]), [[0, "가🙂"], [3, "a"]]);
});

test("tokens that have the same bytes hold them once; others have their own", () => {
  const entry = (token_id, bytes) => ({ token_id, token: "x", bytes, logprob: -1, rank: 1 });
  const [first, again, other] = tokensOf({ logprobs: [entry(7, [1, 2]), entry(7, [1, 2]), entry(7, [1, 3])], steps: [] });
  assert.equal(again.bytes, first.bytes);
  assert.deepEqual([first.bytes, other.bytes], [[1, 2], [1, 3]]);
});
