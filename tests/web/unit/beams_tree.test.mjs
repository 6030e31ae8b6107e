// beams/growth.js and beams/layout.js: events become a tree, and each of its candidates has a place.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NOTHING, fallOf, grown } from "../../../src/foretell/server/web/beams/growth.js";
import * as layout from "../../../src/foretell/server/web/beams/layout.js";
import { crosses, isIn, isSamePart, partInSight, scrolledTo } from "../../../src/foretell/server/web/beams/sight.js";

const { NODE, ROOT, layoutOf, leaderOf, lineTo, neighbour, pathTo, placeOfHypothesis, spread } = layout;

const candidate = (token_id, fate, more = {}) => ({
  token_id, token: `t${token_id}`, bytes: [token_id], logprob: -1, total: -1, rank: 1, fate, verdict: "",
  beam: null, hypothesis: null, stop_reason: null, score: null, ...more,
});
const beam = (token_ids, ...candidates) => ({ text: "", token_ids, total: 0, candidates });
const step = (...beams) => ({ beams, num_candidates: 4, num_hypotheses: 0 });

const FIRST = step(beam([], candidate(1, "kept", { beam: 1 }), candidate(2, "kept", { beam: 0 }), candidate(3, "fell", { rank: null })));
const SECOND = step(
  beam([2], candidate(4, "finished", { hypothesis: 0, score: -1, stop_reason: { kind: "eos", value: 9 } }), candidate(5, "fell")),
  beam([1], candidate(6, "fell"), candidate(7, "kept", { beam: 0 })),
);
const idsOf = ({ places }) => places.map(({ id }) => id);

test("a step is added, and earlier candidates are told anew", () => {
  const event = (index, one, revised = []) => ({ index, step: one, hypotheses: [], revised, end: null });
  const before = grown(grown(NOTHING, event(0, FIRST)), event(1, SECOND));
  const now = candidate(4, "fell", { score: -1 });
  const after = grown(before, event(2, FIRST, [{ step: 1, beam: 0, index: 0, candidate: now }]));
  assert.equal(after.steps.length, 3);
  assert.equal(after.steps[1].beams[0].candidates[0].fate, "fell");
  assert.equal(after.steps[1].beams[0].candidates[1], SECOND.beams[0].candidates[1]);
  assert.equal(before.steps[1].beams[0].candidates[0].fate, "finished", "what was shown stays as it was");
});

test("every candidate has a place, below the one that it goes on from", () => {
  const found = layoutOf([FIRST, SECOND]);
  assert.deepEqual(idsOf(found), [ROOT, "0.0.0", "1.1.0", "1.1.1", "0.0.1", "1.0.0", "1.0.1", "0.0.2"]);
  assert.deepEqual(found.places.map(({ parent }) => parent), [null, ROOT, "0.0.0", "0.0.0", ROOT, "0.0.1", "0.0.1", ROOT]);
});

test("no two places overlap, and all are in the picture", () => {
  const { places, width, height } = layoutOf([FIRST, SECOND]);
  for (const [number, one] of places.entries()) {
    assert(one.x >= 0 && one.y >= 0 && one.x + NODE.width <= width && one.y + NODE.height <= height);
    for (const other of places.slice(number + 1)) {
      const isApart = Math.abs(one.x - other.x) >= NODE.width || Math.abs(one.y - other.y) >= NODE.height;
      assert(isApart, `${one.id} ${other.id}`);
    }
  }
  assert(places.every((one) => one.x === places.find(({ step }) => step === one.step).x), "a step is a column");
});

test("a prompt alone has a place", () => {
  assert.deepEqual(idsOf(layoutOf([])), [ROOT]);
});

test("what fell may be left out", () => {
  assert.deepEqual(idsOf(layoutOf([FIRST, SECOND], { withFallen: false })), [ROOT, "0.0.0", "1.1.1", "0.0.1", "1.0.0"]);
});

test("ways lead from the prompt", () => {
  const found = layoutOf([FIRST, SECOND]);
  const { places } = found;
  assert.deepEqual(pathTo(found, "1.0.0").map(({ id }) => id), [ROOT, "0.0.1", "1.0.0"]);
  assert.deepEqual(pathTo(found, "none"), []);
  assert.equal(placeOfHypothesis(places, 0).id, "1.0.0");
  assert.equal(placeOfHypothesis(places, 1), undefined);
});

test("keys walk along the tree", () => {
  const { places } = layoutOf([FIRST, SECOND]);
  const walk = (id, ...keys) => keys.reduce((here, key) => neighbour(places, here, key) ?? here, id);
  assert.equal(walk(ROOT, "ArrowRight"), "0.0.0");
  assert.equal(walk("0.0.0", "ArrowRight"), "1.1.1", "one that lives before one that fell");
  assert.equal(walk("1.0.0", "ArrowLeft", "ArrowLeft"), ROOT);
  assert.equal(walk("1.1.0", "End"), "1.0.1");
  assert.equal(walk("1.0.1", "Home"), ROOT);
  const column = places.filter(({ step }) => step === 1).sort((one, other) => one.y - other.y);
  assert.equal(walk(column[0].id, "ArrowDown"), column[1].id);
  assert.equal(neighbour(places, column[0].id, "ArrowUp"), null);
  assert.equal(neighbour(places, "gone", "ArrowUp"), ROOT);
});

test("a line ends at both boxes", () => {
  const [from, to] = [{ x: 0, y: 0 }, { x: 200, y: 40 }];
  assert(lineTo(from, to).startsWith(`M${NODE.width},${NODE.height / 2}C`));
  assert(lineTo(from, to).endsWith(` 200,${40 + NODE.height / 2}`));
});

test("there are seven ways to fall", () => {
  const fell = (more) => fallOf(candidate(1, "fell", more));
  assert.equal(fell({ rank: null }), "passed_over");
  assert.equal(fell({ score: -2, stop_reason: { kind: "eos", value: 1 } }), "outdone");
  assert.equal(fell({ stop_reason: { kind: "eos", value: 1 } }), "ends_outside");
  assert.equal(fell({ stop_reason: { kind: "eos", value: 1 }, verdict: "ends (eos), but lacks words" }), "lacks_words");
  assert.equal(fell({ verdict: "the search ended first" }), "search_ended");
  assert.equal(fell({ verdict: "other banks came first" }), "other_banks");
  assert.equal(fell({}), "below");
});

test("positions are as near to those wanted as their gaps allow", () => {
  assert.deepEqual(spread([], []), []);
  assert.deepEqual(spread([0, 50, 90], [10, 10, 10]), [0, 50, 90]);
  assert.deepEqual(spread([0, 0, 0], [10, 10, 10]), [-10, 0, 10]);
  assert.deepEqual(spread([5, 0, 90], [10, 10, 10]), [-2.5, 7.5, 90]);
});

test("a tree that grows stays as it is, and does not wander off", () => {
  const one = (beam_, rank) => candidate(rank, beam_ === null ? "fell" : "kept", { beam: beam_, rank });
  const next = step(beam([1], one(0, 1), one(null, 3), one(null, 5)), beam([2], one(1, 2), one(null, 4)));
  const steps = [step(beam([], one(0, 1), one(1, 2))), ...Array(40).fill(next)];
  const [early, late] = [layoutOf(steps.slice(0, 20)), layoutOf(steps)];
  const shift = late.places[0].y - early.places[0].y;
  for (const { id, x, y } of early.places) {
    const now = late.byId.get(id);
    assert(now.x === x && Math.abs(now.y - shift - y) < 1e-9, id);
  }
  assert(late.height < 12 * NODE.height, `${late.height}`);
  assert.equal(leaderOf(late.places, 5).id, "5.0.0");
});

test("what is in sight is told in whole grains, and what is not is scrolled to", () => {
  const part = partInSight({ left: 490, top: 0, width: 300, height: 200 }, 1);
  assert(part.left <= 490 - NODE.width && part.right >= 790 + NODE.width);
  assert(isSamePart(part, partInSight({ left: 495, top: 3, width: 300, height: 200 }, 1)));
  const place = { x: 900, y: 10 };
  assert(isIn({ x: 780, y: 10 }, part) && !isIn({ x: 2000, y: 10 }, part));
  assert(crosses({ x: 0, y: 0 }, place, part));
  const before = { left: 0, top: 0, width: 300, height: 200 };
  const { left } = scrolledTo(before, place, 1);
  assert(left < 900 && left + 300 > 900 + NODE.width);
  assert.deepEqual(scrolledTo({ ...before, left }, place, 1).left, left, "it is in sight now");
});
