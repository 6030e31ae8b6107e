// The tree of branches, and the runs that wrote it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { beginningAnew, clipped, joined, piecesOfRun, settingsOfRun } from "../../../src/foretell/server/web/state/runs.js";
import * as trees from "../../../src/foretell/server/web/state/tree.js";
import { siblingOf } from "../../../src/foretell/server/web/write/branches/siblings.js";

const token = (id) => ({ id, text: `${id} `, bytes: [48 + id], origin: "generated", logprob: -1, rank: 1, step: null });
const ids = (tree, id = tree.current) => trees.tokensOfBranch(tree, id).map((one) => one.id);

/** 1 2 3 4 5; from it 1 2 7 8, and from that 1 2 7 9; and beside it 1 2 6. */
function grown() {
  const begun = trees.newTree({ ...trees.EMPTY_PROMPT, text: "a" });
  const root = begun.current;
  let tree = trees.withTokens(begun, root, [1, 2, 3, 4, 5].map(token));
  tree = trees.withFork(tree, root, 2, [7, 8].map(token), {});
  const first = tree.current;
  tree = trees.withFork(tree, first, 3, [token(9)], {});
  const second = tree.current;
  tree = trees.withFork(tree, first, 2, [token(6)], {});
  return { tree, root, first, second, third: tree.current };
}

test("a branch has its parents' tokens before its own", () => {
  const { tree, root, first, second, third } = grown();
  assert.deepEqual([root, first, second, third].map((id) => ids(tree, id)), [[1, 2, 3, 4, 5], [1, 2, 7, 8], [1, 2, 7, 9], [1, 2, 6]]);
});

test("what leaves at the place where its branch begins belongs to that branch's parent", () => {
  const { tree, root, first, third } = grown();
  assert.equal(trees.branchOf(tree, third).parent, root);
  assert.deepEqual(trees.siblingsAt(tree, third, 2).map((one) => one.id), [root, first, third]);
});

test("forks along a branch are those of its own way", () => {
  const { tree, root, second, third } = grown();
  assert.deepEqual([root, second, third].map((id) => trees.forksAlong(tree, id)), [[2], [2, 3], [2]]);
});

test("siblings follow one another in a circle, from the fork in focus or the last", () => {
  const { tree, root, first, second, third } = grown();
  const from = (current, position, direction) => siblingOf({ ...tree, current }, position, direction);
  assert.equal(from(root, null, 1), first);
  assert.equal(from(first, 2, 1), third);
  assert.equal(from(third, null, 1), root);
  assert.equal(from(root, null, -1), third);
  assert.equal(from(second, null, 1), first);
  assert.equal(from(second, 2, 1), third);
  assert.equal(siblingOf(trees.newTree(trees.EMPTY_PROMPT), null, 1), null);
});

test("a branch goes with all that leave it, and comes back", () => {
  const { tree, root, first, second } = grown();
  const gone = trees.withDescendants(tree, first);
  assert.deepEqual(gone.map((one) => one.id), [first, second]);
  const less = trees.withoutBranch({ ...tree, current: second }, first);
  assert.equal(less.current, root);
  const back = trees.withBranchesBack(less, gone);
  assert.deepEqual(ids(back, second), [1, 2, 7, 9]);
  assert.equal(back.current, first);
  assert.equal(trees.withBranchesBack(back, gone), back);
});

test("what lost its parent does not come back", () => {
  const { tree, first, second } = grown();
  const gone = trees.withDescendants(tree, second);
  const less = trees.withoutBranch(trees.withoutBranch(tree, second), first);
  assert.equal(trees.withBranchesBack(less, gone), less);
});

test("the root stays", () => {
  const { tree, root } = grown();
  assert.equal(trees.withoutBranch(tree, root), tree);
});

test("the first difference of two branches", () => {
  const { tree, root, first, second } = grown();
  assert.deepEqual([trees.firstDifference(tree, root, first), trees.firstDifference(tree, second, first)], [2, 3]);
  assert.equal(trees.firstDifference(tree, root, root), 5);
});

test("a branch that says the same as its sibling is its twin", () => {
  const { tree, root, first } = grown();
  const again = trees.withFork(tree, root, 2, [7, 8].map(token), {});
  assert.equal(trees.twinOf(again, again.current)?.id, first);
  const longer = trees.withFork(tree, root, 2, [7, 8, 1].map(token), {});
  assert.equal(trees.twinOf(longer, longer.current), undefined);
});

test("nothing is changed in place", () => {
  const { tree, first } = grown();
  const before = JSON.stringify(tree);
  trees.withTokens(tree, first, [token(1)]);
  trees.withoutBranch(tree, first);
  trees.withBranch(tree, first, { name: "x" });
  assert.equal(JSON.stringify(tree), before);
});

test("the runs of a branch are its parents' up to where it leaves, and its own", () => {
  let { tree, root, second } = grown();
  tree = trees.withBranch(tree, root, { runs: [{ start: 0, end: 5, settings: { seed: 1 } }] });
  tree = trees.withBranch(tree, second, { runs: [{ start: 3, end: 4, settings: { seed: 2 } }] });
  assert.deepEqual(trees.runsOfBranch(tree, second).map(({ start, end }) => [start, end]), [[0, 2], [3, 4]]);
});

test("runs that one request would have written alike are one", () => {
  const run = (start, end, settings) => ({ start, end, settings });
  const warm = { temperature: 1, seed: 5 };
  const steps = [run(0, 4, { ...warm, max_new_tokens: 4 }), run(4, 5, { ...warm, max_new_tokens: 1 })];
  assert.deepEqual(joined(steps), [run(0, 5, { ...warm, max_new_tokens: 4 })]);
  for (const other of [run(4, 5, { ...warm, seed: 6 }), run(6, 7, warm)]) assert.equal(joined([steps[0], other]).length, 2);
  const penal = { ...warm, frequency_penalty: 1 };
  assert.equal(joined([run(0, 4, penal), run(4, 5, penal)]).length, 2);
  assert.deepEqual(joined([steps[0], run(4, 4, warm)]), [steps[0]]);
});

test("a run is asked for again with as many tokens as it has", () => {
  const again = settingsOfRun({ start: 3, end: 5, settings: { temperature: 1, max_new_tokens: 50, max_time: 1, trace: true } });
  assert.deepEqual(again, { temperature: 1, max_new_tokens: 2 });
});

test("what counts a request's own tokens begins anew", () => {
  assert.deepEqual(beginningAnew({ frequency_penalty: 0.5, temperature: 1, presence_penalty: 0, stop: [] }), ["frequency_penalty"]);
  for (const penalty_scope of ["prompt", "output"]) {
    assert.deepEqual(beginningAnew({ repetition_penalty: 1.2, penalty_scope }), ["repetition_penalty"]);
  }
  assert.deepEqual(beginningAnew({ repetition_penalty: 1.2 }), []);
  assert.deepEqual(beginningAnew({ frequency_penalty: 1, penalty_scope: "all" }), []);
});

test("a long run is asked for in pieces, unless something in it begins anew", () => {
  const lengths = (settings) => piecesOfRun({ start: 3, end: 2503, settings }).map((one) => [one.start, one.settings.max_new_tokens]);
  assert.deepEqual(lengths({ seed: 1 }), [[3, 1024], [1027, 1024], [2051, 452]]);
  assert.deepEqual(lengths({ mirostat: 2 }), [[3, 2500]]);
});

test("a run that was stopped has no more tokens at least than it has", () => {
  assert.equal(settingsOfRun({ start: 0, end: 3, settings: { min_new_tokens: 9 } }).min_new_tokens, 3);
});

test("runs are cut where they are left", () => {
  assert.deepEqual(clipped([{ start: 0, end: 3, settings: {} }, { start: 3, end: 6, settings: {} }], 3), [{ start: 0, end: 3, settings: {} }]);
});
