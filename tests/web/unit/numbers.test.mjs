// text/numbers.js: figures as they are shown.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as numbers from "../../../src/foretell/server/web/text/numbers.js";

test("probabilities have two decimals, and more near the ends", () => {
  const shown = [0, 1, 0.0365, 0.12345, 0.5, 0.99, 0.99994, 0.9999712, 1 - 2 ** -50, 0.000046, 1e-6, 3.2e-11];
  assert.deepEqual(shown.map(numbers.showProbability), [
    ...["0%", "100%", "3.65%", "12.35%", "50.00%", "99.00%"],
    ...["99.9940%", "99.9971%", "1 − 8.9e-16", "0.0046%", "0.00010%", "3.2e-11"],
  ]);
});

test("only what is 0 or 1 is shown as nothing or all", () => {
  for (let exponent = 1; exponent < 300; exponent += 1) {
    const shown = numbers.showProbability(10 ** -exponent);
    assert(Number.parseFloat(shown) > 0, shown);
  }
  for (let exponent = 1; exponent < 16; exponent += 1) {
    const shown = numbers.showProbability(1 - 10 ** -exponent);
    assert(Number.parseFloat(shown) < 100, shown);
  }
});

test("what is shown is the number, to its digits", () => {
  for (let step = 1; step < 2000; step += 1) {
    const p = step / 2000;
    const shown = numbers.showProbability(p);
    const decimals = shown.split(".")[1].length - 1;
    assert(Math.abs(Number.parseFloat(shown) - p * 100) <= 0.5001 * 10 ** -decimals, `${p} ${shown}`);
  }
});

test("logarithms, entropies, counts", () => {
  assert.equal(numbers.showLogprob(-2.30012), "−2.300");
  assert.equal(numbers.showLogprob(-Infinity), "−∞");
  assert.equal(numbers.showSurprisal(-2.30012), "2.300");
  assert.equal(numbers.showSurprisal(-0), "0.000");
  assert.equal(numbers.showEntropy(-0), "0.000");
  assert.equal(numbers.showLogit(null), "−∞");
  assert.equal(numbers.showCount(49152), "49,152");
});

test("a draw has as many digits as tell it from its interval's ends", () => {
  assert.deepEqual(numbers.showDraw({ low: 0.2856, uniform: 0.3091, high: 0.3833 }), ["0.2856", "0.3091", "0.3833"]);
  const close = numbers.showDraw({ low: 0.12345678, uniform: 0.123456785, high: 0.1234567899 });
  assert.deepEqual(close, ["0.12345678", "0.12345678", "0.12345679"]);
  assert.deepEqual(numbers.showDraw({ low: 0, uniform: 0, high: 1 }, 2), ["0.00", "0.00", "1.00"]);
});
