// views/taken.js: a text of another view becomes a branch.
import assert from "node:assert/strict";
import { test } from "node:test";
import { newTree, tokensOfBranch } from "../../../src/foretell/server/web/state/tree.js";
import { typedToken } from "../../../src/foretell/server/web/text/token.js";
import { withSteps, withText } from "../../../src/foretell/server/web/views/taken.js";

const prompt = (text) => ({ mode: "text", text, messages: [], ids: null });
const tokens = [1, 2].map((id) => typedToken(id, `${id}`, [id]));
const text = { prompt: prompt("a"), tokens, settings: { top_k: 5, seed: 3 }, finish: { reason: "length", stop: null }, isRun: true };

test("the same prompt has one branch more", () => {
  const before = newTree({ ...prompt("a"), ids: [7] });
  const after = withText(before, text);
  assert.equal(after.branches.length, 2);
  assert.deepEqual(tokensOfBranch(after, after.current), tokens);
  assert.deepEqual(after.prompt.ids, [7]);
  const branch = after.branches[1];
  assert.deepEqual([branch.settings, branch.finish], [text.settings, text.finish]);
});

test("another prompt has a tree of its own", () => {
  const after = withText(newTree(prompt("b")), text);
  assert.equal(after.branches.length, 1);
  assert.equal(after.prompt.text, "a");
  assert.deepEqual(tokensOfBranch(after, after.current), tokens);
});

test("a run is told where one request would write it again", () => {
  const runsOf = (tree) => tree.branches[0].runs;
  assert.deepEqual(runsOf(withText(newTree(prompt("b")), text)), [{ start: 0, end: 2, settings: text.settings }]);
  assert.deepEqual(runsOf(withText(newTree(prompt("b")), { ...text, isRun: false })), []);
});

test("what is written again has its steps, if it is the same", () => {
  const tree = withText(newTree(prompt("b")), text);
  const again = tokens.map((token) => ({ ...token, step: { chosen: token.id } }));
  assert.deepEqual(tokensOfBranch(withSteps(tree, tree.current, again), tree.current), again);
  assert.equal(withSteps(tree, tree.current, [again[1]]), tree);
  assert.equal(withSteps(tree, tree.current, [...again, again[0]]), tree);
  assert.equal(withSteps(tree, "gone", again), tree);
});
