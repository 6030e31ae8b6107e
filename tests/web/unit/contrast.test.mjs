// style/design.css: the colours are told apart in light and in dark, as WCAG 2 measures it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { WEB } from "../support/resolve.mjs";

const css = readFileSync(new URL("style/design.css", WEB), "utf8");
const COLOUR = /--([\w-]+):\s*light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\)/g;
const PAIRS = [...css.matchAll(COLOUR)].map(([, name, light, dark]) => [name, { light, dark }]);
const COLOURS = Object.fromEntries(PAIRS);

const PAPERS = ["paper", "sheet", "well"];
const SHADES = Object.keys(COLOURS).filter((name) => /^shade-\d$/.test(name));
const SERIES = Object.keys(COLOURS).filter((name) => name.startsWith("series-"));

/** What is written on what: 4.5 at least. */
const TEXTS = [
  ...PAPERS.flatMap((paper) => ["ink", "quiet", "accent"].map((ink) => [ink, paper])),
  ...["warn", "bad", "good"].flatMap((ink) => [[ink, "sheet"], [ink, "paper"]]),
  ["ink", "accent-well"],
  ["ink", "warn-well"],
  ["ink", "bad-well"],
  ["accent", "accent-well"],
  ["accent-ink", "accent"],
  ["warn", "warn-well"],
  ["bad", "bad-well"],
  ...SHADES.map((shade) => ["shade-ink", shade]),
  ...SERIES.flatMap((one) => [[one, "sheet"], [one, "paper"]]),
];

/** Marks on what they lie on: 3 at least. */
const MARKS = [
  ...PAPERS.map((paper) => ["edge-strong", paper]),
  ["accent", "sheet"],
  ["bar-chosen", "sheet"],
  ["bar-chosen", "well"],
];

function luminance(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function check(pairs, least) {
  for (const [front, back] of pairs) {
    assert(front in COLOURS && back in COLOURS, `${front} on ${back}`);
    for (const theme of ["light", "dark"]) {
      const found = contrast(COLOURS[front][theme], COLOURS[back][theme]);
      assert(found >= least, `${front} on ${back}, ${theme}: ${found.toFixed(2)}, and not ${least}`);
    }
  }
}

test("black on white has the most there is", () => assert.equal(contrast("#000000", "#ffffff"), 21));

test("what is written can be read", () => check(TEXTS, 4.5));

test("marks can be seen", () => check(MARKS, 3));

test("text on a shade keeps a contrast of 7, all but on the darkest", () => {
  check(SHADES.slice(0, -1).map((shade) => ["shade-ink", shade]), 7);
});

test("each step of the shades is darker, or in the dark lighter, than the one before", () => {
  const light = SHADES.map((shade) => luminance(COLOURS[shade].light));
  const dark = SHADES.map((shade) => luminance(COLOURS[shade].dark));
  assert.deepEqual(light, [...light].sort((a, b) => b - a));
  assert.deepEqual(dark, [...dark].sort((a, b) => a - b));
});
