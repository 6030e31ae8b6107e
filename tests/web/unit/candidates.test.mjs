// write/token/candidates.js: what the panel shows of a step.
import assert from "node:assert/strict";
import { test } from "node:test";
import { candidatesOf, isCut, largestOf, othersOf, stageIndex } from "../../../src/foretell/server/web/write/token/candidates.js";

const candidate = (rank, probabilities, removed_by = null) => ({
  token_id: rank,
  token: "ab"[rank % 2],
  bytes: [97],
  rank,
  logits: probabilities.map((p) => (p === 0 ? null : Math.log(p))),
  probabilities,
  removed_by,
});
const step = {
  stages: [
    { name: "raw", setting: "", num_candidates: 10, mass: 1, entropy: 1 },
    { name: "top_k", setting: "2", num_candidates: 2, mass: 0.75, entropy: 0.5 },
  ],
  chosen: candidate(2, [0.25, 0.4]),
  runners_up: [candidate(1, [0.5, 0.6]), candidate(3, [0.125, 0], 1)],
  draw: null,
  why: "",
};

test("the model's likeliest comes first, the chosen one in its place", () => {
  assert.deepEqual(candidatesOf(step).map((one) => one.rank), [1, 2, 3]);
});

test("bars of all stages have one scale", () => {
  assert.equal(largestOf(candidatesOf(step)), 0.6);
});

test("what is cut is cut from its stage on", () => {
  assert.deepEqual([0, 1].map((stage) => isCut(step.runners_up[1], stage)), [false, true]);
});

test("the others are what is not shown", () => {
  assert.deepEqual(othersOf(step, 0), { number: 7, mass: 0.125 });
  assert.deepEqual(othersOf(step, 1), { number: 0, mass: 0 });
});

test("the last stage is shown unless another was picked that this step has", () => {
  assert.equal(stageIndex(step, null), 1);
  assert.equal(stageIndex(step, { index: 0, name: "raw" }), 0);
  assert.equal(stageIndex(step, { index: 4, name: "top_p" }), 1);
});
