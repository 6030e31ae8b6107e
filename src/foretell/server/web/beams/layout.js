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
 * @typedef {{ places: Place[], width: number, height: number }} Layout the places in the order in
 *   which one reads the tree: each before what goes on from it
 */

import { hierarchy, tree } from "d3-hierarchy";

export const NODE = { width: 136, height: 26 };
const COLUMN = 164;
const ROW = 31;
export const ROOT = "prompt";

/** @typedef {Omit<Place, "x" | "y" | "parent" | "number" | "count">} Node */

/**
 * @param {readonly Step[]} steps
 * @param {{ withFallen?: boolean }} [wishes] whether candidates that came to nothing have a place
 * @returns {Layout}
 */
export function layoutOf(steps, { withFallen = true } = {}) {
  /** @type {Node} */
  const prompt = { id: ROOT, step: -1, beam: 0, index: 0, candidate: null };
  const data = hierarchy(prompt, (node) => childrenOf(steps, node, withFallen));
  const laid = tree().nodeSize([ROW, COLUMN]).separation((one, other) => (one.parent === other.parent ? 1 : 1.2))(
    /** @type {any} */ (data),
  );
  const nodes = laid.descendants();
  const top = Math.min(...nodes.map((node) => node.x));
  /** @type {Place[]} */
  const places = [];
  laid.eachBefore((node) => {
    const parent = /** @type {any} */ (node.parent?.data);
    const siblings = node.parent?.children ?? [node];
    const place = { parent: parent?.id ?? null, number: siblings.indexOf(node) + 1, count: siblings.length };
    places.push({ .../** @type {any} */ (node.data), ...place, x: node.y, y: node.x - top });
  });
  const width = Math.max(...places.map(({ x }) => x)) + NODE.width;
  return { places, width, height: Math.max(...places.map(({ y }) => y)) + NODE.height };
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
 * @param {readonly Place[]} places
 * @param {string} id
 * @returns {Place[]}
 */
export function pathTo(places, id) {
  const byId = new Map(places.map((one) => [one.id, one]));
  const path = [];
  for (let one = byId.get(id); one !== undefined; one = one.parent === null ? undefined : byId.get(one.parent)) {
    path.unshift(one);
  }
  return path;
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
