// text/shade.js: steps of uncertainty.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMITS, MEASURES, nextUncertain, stepOf, stepOfAll, valueOf } from "../../../src/foretell/server/web/text/shade.js";
import { typedToken } from "../../../src/foretell/server/web/text/token.js";

const token = (p, entropy) => ({
  ...typedToken(1, "a", [97]),
  origin: "generated",
  logprob: Math.log(p),
  step: { stages: [{ entropy }], chosen: { probabilities: [p] } },
});

test("values are the model's own", () => {
  const one = token(0.25, 1.5);
  assert.equal(valueOf(one, "probability"), 0.25);
  assert.equal(valueOf(one, "surprisal"), Math.log(4));
  assert.equal(valueOf(one, "entropy"), 1.5);
});

test("a typed token has none", () => {
  const typed = typedToken(1, "a", [97]);
  for (const measure of MEASURES) assert.equal(valueOf(typed, measure), null);
  assert.equal(stepOfAll([typed], "entropy"), null);
});

test("each limit begins a step, and the steps go up with uncertainty", () => {
  for (const measure of MEASURES) {
    const small = measure === "probability" ? -1e-9 : 1e-9;
    LIMITS[measure].forEach((limit, index) => {
      assert.equal(stepOf(measure, limit + small), index + 1);
      assert.equal(stepOf(measure, limit - small), index);
    });
  }
  assert.equal(stepOf("probability", 1), 0);
  assert.equal(stepOf("probability", 0), 4);
  assert.equal(stepOf("surprisal", Infinity), 4);
});

test("a box has the step of its most uncertain token", () => {
  assert.equal(stepOfAll([token(0.9, 0), token(0.001, 0)], "probability"), 4);
});

test("the next uncertain token is found, from the start again after the last", () => {
  const tokens = [token(1, 3), token(1, 0), token(1, 2.5), token(1, 1)];
  assert.deepEqual([null, 0, 1, 2, 3].map((after) => nextUncertain(tokens, after)), [0, 2, 2, 0, 0]);
  assert.equal(nextUncertain([token(1, 0.1)], null), null);
  assert.equal(nextUncertain([], null), null);
});
