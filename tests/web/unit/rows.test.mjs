// The tree "Branches" as rows, and where keys lead.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_PROMPT, newTree, withFork, withTokens } from "../../../src/foretell/server/web/state/tree.js";
import { beginningOf, moveOf, rowsOf } from "../../../src/foretell/server/web/write/branches/rows.js";

const token = (text) => ({ id: 1, text, bytes: [...Buffer.from(text)], origin: "generated", logprob: 0, rank: 1, step: null });

function grown() {
  const begun = newTree(EMPTY_PROMPT);
  const root = begun.current;
  const one = withFork(withTokens(begun, root, ["a", "b", "c"].map(token)), root, 2, [token("x"), token("y")], {});
  const two = withFork(one, one.current, 3, [token("z")], {});
  const three = withFork(two, root, 1, [token("w")], {});
  return { tree: three, root, x: one.current, z: two.current, w: three.current };
}

test("rows stand by where branches leave, below their parents", () => {
  const { tree, root, x, z, w } = grown();
  const rows = rowsOf(tree, new Set());
  assert.deepEqual(rows.map((row) => [row.branch.id, row.level, row.place, row.num_siblings]), [
    [root, 1, 1, 1],
    [w, 2, 1, 2],
    [x, 2, 2, 2],
    [z, 3, 1, 1],
  ]);
});

test("what is folded shows no children", () => {
  const { tree, root, x, w } = grown();
  assert.deepEqual(rowsOf(tree, new Set([x])).map((row) => row.branch.id), [root, w, x]);
});

test("keys move as in any tree", () => {
  const { tree, root, x } = grown();
  const rows = rowsOf(tree, new Set());
  const moves = { ArrowDown: { index: 3 }, ArrowUp: { index: 1 }, Home: { index: 0 }, End: { index: 3 } };
  for (const [key, move] of Object.entries(moves)) assert.deepEqual(moveOf(rows, 2, key), move);
  assert.deepEqual(moveOf(rows, 2, "ArrowLeft"), { toggle: x });
  assert.deepEqual(moveOf(rows, 2, "ArrowRight"), { index: 3 });
  assert.deepEqual(moveOf(rows, 3, "ArrowLeft"), { index: 2 });
  assert.deepEqual([moveOf(rows, 3, "ArrowRight"), moveOf(rows, 0, "x")], [null, null]);
  assert.deepEqual(moveOf(rowsOf(tree, new Set([root])), 0, "ArrowRight"), { toggle: root });
});

test("a branch's beginning is one line", () => {
  assert.equal(beginningOf({ tokens: [" a", "\n\n", "b "].map(token) }), "a b");
  assert.equal(beginningOf({ tokens: Array(13).fill(token("é")) }), `${"é".repeat(12)}…`);
  const ended = { tokens: [" a", "<end>"].map(token), finish: { reason: "stop", stop: { kind: "eos", value: 1 } } };
  assert.equal(beginningOf(ended), "a");
  assert.equal(beginningOf({ ...ended, finish: { reason: "stop", stop: { kind: "string", value: "b" } } }), "a<end>");
});
