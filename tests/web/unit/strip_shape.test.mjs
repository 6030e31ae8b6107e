// text/strip_shape.js: the chart of a text's entropy.
import assert from "node:assert/strict";
import { test } from "node:test";
import { axisOf, outlineOf, summaryOf } from "../../../src/foretell/server/web/text/strip_shape.js";

test("the top is a round number above all values", () => {
  assert.deepEqual([[], [0.2], [3.2, null], [10.8], [40.3]].map(axisOf), [1, 1, 4, 12, 41]);
});

test("each value is a bar", () => {
  assert.equal(outlineOf([1, null, 2], 4), "M0 1V0.750h1V1.000h1V0.500h1V1z");
});

test("the summary leaves out what has no value", () => {
  assert.deepEqual(summaryOf([null, 1, 4, 1]), { mean: 2, most: 4, at: 2 });
  assert.equal(summaryOf([null]), null);
});
