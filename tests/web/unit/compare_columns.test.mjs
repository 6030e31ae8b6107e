// compare/columns.js: columns, their letters, and what the reader writes of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as columns from "../../../src/foretell/server/web/compare/columns.js";

const { FIRST_COLUMNS, LETTERS, MOST } = columns;
const letters = (all) => all.map(({ letter }) => letter);

test("a new column has the first letter that is free", () => {
  const without = columns.withoutColumn(FIRST_COLUMNS, "B");
  assert.deepEqual(letters(columns.withColumn(without, { top_k: 3 })), ["A", "B", "C"]);
  assert.deepEqual(columns.withColumn(without, { top_k: 3 })[1], { letter: "B", settings: { top_k: 3 } });
});

test("there are six at most, and one at least", () => {
  let all = FIRST_COLUMNS;
  for (let number = 0; number < 9; number += 1) all = columns.withColumn(all, {});
  assert.deepEqual(letters(all), LETTERS);
  for (let number = 0; number < 9; number += 1) all = columns.withoutColumn(all, all[0].letter);
  assert.deepEqual(letters(all), ["F"]);
  assert.equal(MOST, 6);
});

test("a column is changed, and no other", () => {
  const all = columns.withSettings(FIRST_COLUMNS, "C", { min_p: 0.1 });
  assert.deepEqual(columns.strategiesOf(all).C, { min_p: 0.1 });
  assert.equal(all[0], FIRST_COLUMNS[0]);
});

test("seeds are a number of them, or a list", () => {
  const read = { 3: 3, "4, 7": [4, 7], "4,": [4], " 8 ": 8 };
  for (const [text, found] of Object.entries(read)) assert.deepEqual(columns.readSeeds(text), found);
  for (const text of ["", "a", "1.5", "-1", "1 2", ",", "1,,2"]) assert.equal(columns.readSeeds(text), null);
});

test("an error is laid to its column, in the server's words", () => {
  const words = "temperature=-1 is out of range";
  assert.deepEqual(columns.blame(`strategy 'B': ${words}`), { letter: "B", message: words });
  assert.deepEqual(columns.blame(`strategies['C']: ${words}`), { letter: "C", message: words });
  assert.deepEqual(columns.blame(words), { letter: null, message: words });
});

test("settings are told in a line; greedy has none", () => {
  assert.equal(columns.lineOf({ do_sample: false }), "");
  assert.equal(columns.lineOf({ temperature: 0.8, top_p: 0.9 }), "temperature 0.8 · top_p 0.9");
  assert.equal(columns.lineOf({ do_sample: true, stop: ["."] }), 'do_sample · stop ["."]');
});
