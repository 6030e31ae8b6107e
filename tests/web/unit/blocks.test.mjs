// text/blocks.js: blocks stay the same objects while the text grows.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCK, boxOf, pageOf, paragraphsOf } from "../../../src/foretell/server/web/text/blocks.js";
import { boxesOf, typedToken } from "../../../src/foretell/server/web/text/token.js";

const bytesOf = (text) => [...new TextEncoder().encode(text)];
const words = (number, text = "a ") => Array.from({ length: number }, (_, id) => typedToken(id, text, bytesOf(text)));
const bytes = (text) => bytesOf(text).map((byte, id) => typedToken(id, "", [byte]));
const boxesIn = (page) => page.blocks.flatMap((block) => block.boxes);

test("blocks have all boxes of the text, in order", () => {
  for (const tokens of [[], words(1), words(BLOCK), words(3 * BLOCK + 1), bytes("가🙂\n".repeat(99))]) {
    const page = pageOf(tokens);
    assert.deepEqual(boxesIn(page), boxesOf(tokens));
    let end = 0;
    for (const block of page.blocks) {
      assert.equal(block.start, end);
      assert(block.boxes.length <= BLOCK);
      end = block.end;
    }
    assert.equal(end, tokens.length);
  }
});

test("growing token by token gives what is given at once, and keeps all blocks but the last", () => {
  const tokens = bytes("고양이 🙂🙂 the cat\n".repeat(30));
  let page = pageOf([]);
  for (let length = 1; length <= tokens.length; length += 1) {
    const next = pageOf(tokens.slice(0, length), page);
    assert.deepEqual(boxesIn(next), boxesOf(tokens.slice(0, length)));
    page.blocks.slice(0, -1).forEach((block, index) => assert.equal(next.blocks[index], block));
    page = next;
  }
});

test("another branch keeps what it shares", () => {
  const shared = words(3 * BLOCK);
  const one = pageOf([...shared, ...words(BLOCK, "b ")]);
  const other = pageOf([...shared.slice(0, 2 * BLOCK + 5), ...words(9, "c ")], one);
  assert.equal(other.blocks[1], one.blocks[1]);
  assert.notEqual(other.blocks[2], one.blocks[2]);
  assert.deepEqual(boxesIn(other), boxesOf(other.tokens));
});

test("a character that goes on differently in another branch is boxed anew", () => {
  const start = [...words(BLOCK - 1), typedToken(0, "", [0xea])];
  const one = pageOf([...start, ...words(BLOCK)]);
  const other = pageOf([...start, typedToken(0, "", [0xb0]), typedToken(0, "", [0x80]), ...words(BLOCK)], one);
  assert.deepEqual(boxesIn(other), boxesOf(other.tokens));
});

test("the same tokens are the same page", () => {
  const page = pageOf(words(3));
  assert.equal(pageOf(page.tokens, page), page);
});

test("a paragraph ends where a block ends a line", () => {
  const lines = paragraphsOf(pageOf([...words(40), ...words(1, "\n"), ...words(BLOCK + 1)]).blocks);
  assert.deepEqual(lines.map((blocks) => blocks.map((block) => block.boxes.length)), [[41], [BLOCK, 1]]);
});

test("the box of a token is found", () => {
  const page = pageOf([...words(BLOCK), ...bytes("🙂"), ...words(2)]);
  assert.equal(boxOf(page, BLOCK + 3)?.text, "🙂");
  assert.equal(boxOf(page, BLOCK + 3)?.start, BLOCK);
  assert.equal(boxOf(page, 0)?.start, 0);
  assert.equal(boxOf(page, BLOCK + 6), null);
});
