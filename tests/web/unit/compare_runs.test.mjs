// compare/runs.js: texts grow by events, and part somewhere.
import assert from "node:assert/strict";
import { test } from "node:test";
import { counterpart, parting, partings, withChunk } from "../../../src/foretell/server/web/compare/runs.js";

const entry = (id) => ({ token_id: id, token: `${id}`, bytes: [id], logprob: -1, rank: 1 });
const chunk = (run, ids, finish_reason = null) => ({ run, seed: run, logprobs: ids.map(entry), finish_reason });
const textOf = (ids, finish_reason = null) => withChunk([], chunk(0, ids, finish_reason))[0];

test("a run has the tokens of its events, in order", () => {
  let runs = [];
  for (const event of [chunk(1, [5]), chunk(0, [7, 8]), chunk(1, []), chunk(1, [6], "stop")]) runs = withChunk(runs, event);
  assert.deepEqual(runs.map((run) => run.tokens.map(({ id }) => id)), [[7, 8], [5, 6]]);
  assert.deepEqual(runs.map((run) => run.finish_reason), [null, "stop"]);
  assert.deepEqual(runs.map((run) => run.seed), [0, 1]);
});

test("the runs before an event stay as they were", () => {
  const before = withChunk([], chunk(0, [1]));
  withChunk(before, chunk(0, [2]));
  assert.equal(before[0].tokens.length, 1);
});

test("texts part at the first token that differs", () => {
  assert.equal(parting(textOf([1, 2, 3]), textOf([1, 9, 3])), 1);
  assert.equal(parting(textOf([1, 2]), textOf([1, 2])), null);
  assert.equal(parting(textOf([]), textOf([])), null);
});

test("a text that has ended parts where the other goes on", () => {
  assert.equal(parting(textOf([1, 2], "stop"), textOf([1, 2, 3])), 2);
  assert.equal(parting(textOf([1, 2, 3]), textOf([1, 2], "stop")), 2);
  assert.equal(parting(textOf([1, 2]), textOf([1, 2, 3], "length")), null, "it may yet go on alike");
  assert.equal(parting(textOf([1, 2], "stop"), textOf([1, 2], "stop")), null);
});

test("a run is held against that of its seed, or the only one", () => {
  const [greedy, ...drawn] = [[1, 2], [1, 3], [4, 2]].map((ids) => textOf(ids));
  assert.equal(counterpart([greedy], 1), greedy);
  assert.equal(counterpart(drawn, 2), null);
  assert.deepEqual(partings(drawn, [greedy]), [1, 0]);
  assert.deepEqual(partings([greedy], drawn), [1]);
});
