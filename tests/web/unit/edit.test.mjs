// What an edited text keeps of its tokens.
import assert from "node:assert/strict";
import { test } from "node:test";
import { editableText, keptOf, typedTokens } from "../../../src/foretell/server/web/write/edit/difference.js";

const bytesOf = (text) => [...Buffer.from(text)];
const token = (bytes) => {
  const exact = typeof bytes === "string" ? bytesOf(bytes) : bytes;
  return { id: 1, text: "", bytes: exact, origin: "generated", logprob: 0, rank: 1, step: null };
};

test("whole tokens stay as far as the text is the same", () => {
  const tokens = ["The", " cat", " sat"].map(token);
  assert.equal(editableText(tokens), "The cat sat");
  assert.deepEqual(keptOf(tokens, "The cat sat"), { num_kept: 3, typed: "" });
  assert.deepEqual(keptOf(tokens, "The cat sat down"), { num_kept: 3, typed: " down" });
  assert.deepEqual(keptOf(tokens, "The car sat"), { num_kept: 1, typed: " car sat" });
  assert.deepEqual(keptOf(tokens, "The cat s"), { num_kept: 2, typed: " s" });
  assert.deepEqual(keptOf(tokens, "A cat"), { num_kept: 0, typed: "A cat" });
  assert.deepEqual(keptOf(tokens, ""), { num_kept: 0, typed: "" });
});

test("tokens that share a character stay together or go together", () => {
  const [first, ...rest] = bytesOf("한");
  const tokens = [token("a"), token([first]), token(rest), token("!")];
  assert.deepEqual(keptOf(tokens, "a한!"), { num_kept: 4, typed: "" });
  assert.deepEqual(keptOf(tokens, "a한"), { num_kept: 3, typed: "" });
  assert.deepEqual(keptOf(tokens, "a글!"), { num_kept: 1, typed: "글!" });
});

test("bytes that are no character stay by their ids while what shows them stays", () => {
  const tokens = [token("a"), token([0xff]), token("b")];
  assert.deepEqual(keptOf(tokens, `${editableText(tokens)}c`), { num_kept: 3, typed: "c" });
});

test("line ends of other systems stay, though a field has one kind alone", () => {
  const tokens = ["a\r", "\nb", "\r\n", "c"].map(token);
  assert.equal(editableText(tokens), "a\nb\nc");
  assert.deepEqual(keptOf(tokens, "a\nb\ncd"), { num_kept: 4, typed: "d" });
  assert.deepEqual(keptOf(tokens, "a\nb\n"), { num_kept: 3, typed: "" });
  assert.deepEqual(keptOf(tokens, "a\n"), { num_kept: 1, typed: "" });
});

test("typed tokens have exact bytes, parts of characters too", () => {
  const names = [" <ED 95>", "<9C>", "<EA B5 AD>", "<9C>", "a<EA>", "<B3 A0>b"];
  const found = typedTokens(" 한국<9C>a고b", [1, 2, 3, 4, 5, 6], names);
  const bytes = [[32, 0xed, 0x95], [0x9c], [0xea, 0xb5, 0xad], bytesOf("<9C>"), [97, 0xea], [0xb3, 0xa0, 98]];
  assert.deepEqual(found.map((one) => one.bytes), bytes);
  assert(found.every((one) => one.origin === "typed"));
});
