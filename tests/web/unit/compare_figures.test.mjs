// compare/figures.js: figures as they are shown.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FIGURES, barsOf, showFigure } from "../../../src/foretell/server/web/compare/figures.js";
import { texts } from "../../../src/foretell/server/web/compare/texts.js";

test("each figure has a name and an explanation in each language", () => {
  for (const language of ["en", "ko"]) {
    for (const name of FIGURES) assert(texts[language][name] && texts[language][`${name}_help`], name);
  }
});

test("figures are shown with the digits that tell something", () => {
  assert.equal(showFigure("mean_logprob", -1.92649), "−1.926");
  assert.equal(showFigure("perplexity", 6.8646), "6.86");
  assert.equal(showFigure("perplexity", 7744.4), "7744");
  assert.equal(showFigure("perplexity", 3.2e9), "3.2e+9");
  assert.equal(showFigure("mean_length", 60), "60.0");
  assert.equal(showFigure("agreement", null), "–");
});

test("bars of shares are of one, others of the greatest", () => {
  assert.deepEqual(barsOf("agreement", [0.5, null]), [0.5, 0]);
  assert.deepEqual(barsOf("mean_logprob", [-1, -4]), [0.25, 1]);
  assert.deepEqual(barsOf("mean_length", [0, 0]), [0, 0]);
});
