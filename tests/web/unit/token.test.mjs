// text/token.js: tokens that share characters share a box.
import assert from "node:assert/strict";
import { test } from "node:test";
import { boxesOf, textOf, typedToken } from "../../../src/foretell/server/web/text/token.js";

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
