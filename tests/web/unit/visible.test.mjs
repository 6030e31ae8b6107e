// text/visible.js: names of tokens that stand alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isInvisible, nameOf, piecesOf } from "../../../src/foretell/server/web/text/visible.js";

const token = (text, bytes = [...new TextEncoder().encode(text)]) => ({ text, bytes });

test("spaces that would not be seen are shown", () => {
  assert.equal(nameOf(token(" cat")), "␣cat");
  assert.equal(nameOf(token("a cat")), "a cat");
  assert.equal(nameOf(token("  ")), "␣␣");
  assert.equal(nameOf(token("cat ")), "cat␣");
  assert.equal(nameOf(token("\n   ")), "↵␣␣␣");
  assert.equal(nameOf(token("a  b")), "a␣␣b");
  assert.equal(nameOf(token(".\n\n")), ".↵↵");
  assert.equal(nameOf(token("\t}")), "⇥}");
});

test("parts of a character are bytes", () => {
  assert.equal(nameOf(token("\ufffd", [0xf0, 0x9f])), "F0 9F");
});

test("what changes the direction of its neighbours is spelled out", () => {
  assert.equal(nameOf(token("\u202eabc")), "U+202Eabc");
  assert.equal(nameOf(token("\u200b")), "U+200B");
  assert.equal(nameOf(token("\u0000")), "U+0000");
});

test("text of any language is left alone, joined emoji too", () => {
  for (const text of ["고양이", "שלום", "👩‍👩‍👧", "❤️", "<b>&amp;"]) {
    assert.deepEqual(piecesOf(token(text)), [{ kind: "text", text }]);
  }
});

test("a token without text has no pieces", () => {
  assert.deepEqual(piecesOf(token("")), []);
});

test("texts that would not be seen are told from others", () => {
  for (const text of ["", "\u202e", "\u200b\u200c", "\u0001"]) assert(isInvisible(text), JSON.stringify(text));
  for (const text of [" ", "\n", "a\u202e", "가", "🙂"]) assert(!isInvisible(text), JSON.stringify(text));
});
