/**
 * Where everything of a beam tree stands: a step a column, its candidates below each other. Pure
 * functions.
 *
 * @typedef {import("./growth.js").Step} Step
 * @typedef {import("./growth.js").Candidate} Candidate
 *
 * @typedef {Object} Place
 * @property {string} id
 * @property {string | null} parent null: the prompt
 * @property {number} step the number of its step; -1: the prompt
 * @property {number} beam the live beam that it continues
 * @property {number} index its number among the beam's candidates
 * @property {Candidate | null} candidate null: the prompt
 * @property {number} number its place among those that go on from the same, from 1
 * @property {number} count how many these are
 * @property {number} x
 * @property {number} y
 *
 * @typedef {{ places: Place[], byId: Map<string, Place>, width: number, height: number }} Layout the
 *   places in the order in which one reads the tree: each before what goes on from it
 */

export const NODE = { width: 136, height: 26 };

/** Around the tree. */
export const MARGIN = 6;
const COLUMN = 164;
const ROW = 31;

/** Rows between candidates that go on from different beams. */
const APART = 1.2;

/** By how much of its way from the prompt's line a step comes back to it, so that no tree wanders off. */
const RETURN = 0.3;

export const ROOT = "prompt";

/** @typedef {Omit<Place, "x" | "y" | "parent" | "number" | "count">} Node */

/**
 * @param {readonly Step[]} steps
 * @param {{ withFallen?: boolean }} [wishes] whether candidates that came to nothing have a place
 * @returns {Layout}
 */
export function layoutOf(steps, { withFallen = true } = {}) {
  /** @type {Place} */
  const prompt = { id: ROOT, parent: null, step: -1, beam: 0, index: 0, candidate: null, number: 1, count: 1, x: 0, y: 0 };
  const columns = [[prompt]];
  for (let column = columns[0]; column.length > 0; columns.push(column)) column = nextColumn(steps, column, withFallen);
  const all = columns.flat();
  const top = Math.min(...all.map(({ y }) => y));
  const places = inReadingOrder(prompt, all).map((one) => ({ ...one, y: one.y - top }));
  const width = Math.max(...places.map(({ x }) => x)) + NODE.width;
  return { places, byId: byIdOf(places), width, height: Math.max(...places.map(({ y }) => y)) + NODE.height };
}

/** @param {readonly Place[]} places */
export function byIdOf(places) {
  return new Map(places.map((one) => [one.id, one]));
}

/**
 * What goes on from the places of a column: what lives as near to these as there is room, all in their
 * order, so that no lines cross. A column depends on those before it alone, so that a tree that grows stays as it is.
 *
 * @param {readonly Step[]} steps
 * @param {readonly Place[]} column
 * @param {boolean} withFallen
 * @returns {Place[]}
 */
function nextColumn(steps, column, withFallen) {
  const places = column.flatMap((parent) => {
    const found = childrenOf(steps, parent, withFallen);
    const first = parent.y - meanOf(livingOf(found).map((one) => found.indexOf(one))) * ROW;
    return found.map((one, place) => {
      return { ...one, parent: parent.id, number: place + 1, count: found.length, x: parent.x + COLUMN, y: first + place * ROW };
    });
  });
  const gaps = places.map((one, place) => (place > 0 && places[place - 1].parent !== one.parent ? APART * ROW : ROW));
  const settled = spread(places.map(({ y }) => y), gaps);
  const back = RETURN * meanOf(livingOf(places).map((one) => settled[places.indexOf(one)]));
  return places.map((one, place) => ({ ...one, y: settled[place] - back }));
}

/**
 * @template {{ candidate: Candidate | null }} T
 * @param {T[]} places
 * @returns {T[]} those from which the search goes on; all if it goes on from none
 */
function livingOf(places) {
  const living = places.filter(({ candidate }) => candidate !== null && candidate.beam !== null);
  return living.length > 0 ? living : places;
}

/** @param {number[]} numbers */
function meanOf(numbers) {
  return numbers.reduce((sum, one) => sum + one, 0) / Math.max(1, numbers.length);
}

/**
 * Positions as near to those that are wanted (the sum of squares is least) as these gaps allow.
 *
 * Less the gaps before it, no position may be below that before: where one would be, it and what is
 * before it are put at their mean (Ayer et al. 1955, pooling adjacent violators).
 *
 * @param {readonly number[]} wanted
 * @param {readonly number[]} gaps before each
 * @returns {number[]}
 */
export function spread(wanted, gaps) {
  let room = 0;
  const before = gaps.map((gap, place) => (room += place === 0 ? 0 : gap));
  /** @type {{ sum: number, count: number }[]} */
  const pools = [];
  wanted.forEach((one, place) => {
    let pool = { sum: one - before[place], count: 1 };
    while (pools.length > 0 && mean(pools[pools.length - 1]) > mean(pool)) {
      const last = /** @type {{ sum: number, count: number }} */ (pools.pop());
      pool = { sum: last.sum + pool.sum, count: last.count + pool.count };
    }
    pools.push(pool);
  });
  return pools.flatMap((pool) => Array(pool.count).fill(mean(pool))).map((one, place) => one + before[place]);
}

/** @param {{ sum: number, count: number }} pool */
function mean({ sum, count }) {
  return sum / count;
}

/**
 * @param {Place} prompt
 * @param {readonly Place[]} all
 * @returns {Place[]} each before what goes on from it, and that before the next
 */
function inReadingOrder(prompt, all) {
  /** @type {Map<string, Place[]>} */
  const children = new Map(all.map(({ id }) => [id, []]));
  for (const one of all) if (one.parent !== null) children.get(one.parent)?.push(one);
  const found = [];
  const waiting = [prompt];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    found.push(one);
    waiting.push(.../** @type {Place[]} */ (children.get(one.id)).reverse());
  }
  return found;
}

/**
 * The candidates that continue what a node stands for.
 *
 * @param {readonly Step[]} steps
 * @param {Node} node
 * @param {boolean} withFallen
 * @returns {Node[]}
 */
function childrenOf(steps, { step, candidate }, withFallen) {
  const beam = candidate === null ? 0 : candidate.beam;
  const next = steps[step + 1];
  if (next === undefined || beam === null) return [];
  const found = next.beams[beam].candidates.map((one, index) => ({
    id: idOf(step + 1, beam, index),
    step: step + 1,
    beam,
    index,
    candidate: one,
  }));
  return found.filter((one) => withFallen || one.candidate.fate !== "fell");
}

/**
 * @param {number} step
 * @param {number} beam
 * @param {number} index
 */
export function idOf(step, beam, index) {
  return `${step}.${beam}.${index}`;
}

/**
 * The places from the prompt to one of them, in this order.
 *
 * @param {{ byId: Map<string, Place> }} layout
 * @param {string} id
 * @returns {Place[]}
 */
export function pathTo({ byId }, id) {
  const path = [];
  for (let one = byId.get(id); one !== undefined; one = one.parent === null ? undefined : byId.get(one.parent)) {
    path.unshift(one);
  }
  return path;
}

/**
 * The place of a step to look at first: that which becomes the best beam, or the first there is.
 *
 * @param {readonly Place[]} places
 * @param {number} step its number; -1: the prompt
 */
export function leaderOf(places, step) {
  const column = places.filter((one) => one.step === step);
  return column.find(({ candidate }) => candidate?.beam === 0) ?? column[0];
}

/**
 * The place at which a finished text ends; undefined where it has none.
 *
 * @param {readonly Place[]} places
 * @param {number} hypothesis its number
 */
export function placeOfHypothesis(places, hypothesis) {
  return places.find(({ candidate }) => candidate?.hypothesis === hypothesis);
}

/**
 * Where a key leads from a place; null: nowhere.
 *
 * Right is the first that goes on from it, and rather one that lives; left what it goes on from; up
 * and down are the neighbours in the same step.
 *
 * @param {readonly Place[]} places
 * @param {string} id
 * @param {string} key
 * @returns {string | null}
 */
export function neighbour(places, id, key) {
  const here = places.find((one) => one.id === id);
  if (here === undefined) return places[0]?.id ?? null;
  if (key === "Home") return places[0].id;
  if (key === "ArrowLeft") return here.parent;
  if (key === "ArrowRight") {
    const next = places.filter((one) => one.parent === id);
    return (next.find((one) => one.candidate?.fate !== "fell") ?? next[0])?.id ?? null;
  }
  const column = places.filter((one) => one.step === here.step).sort((one, other) => one.y - other.y);
  if (key === "End") return column[column.length - 1].id;
  const move = key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0;
  return move === 0 ? null : (column[column.indexOf(here) + move]?.id ?? null);
}

/**
 * The line from what a place goes on from to it.
 *
 * @param {Place} from
 * @param {Place} to
 */
export function lineTo(from, to) {
  const middle = NODE.height / 2;
  const start = from.x + NODE.width;
  const bend = (start + to.x) / 2;
  return `M${start},${from.y + middle}C${bend},${from.y + middle} ${bend},${to.y + middle} ${to.x},${to.y + middle}`;
}
