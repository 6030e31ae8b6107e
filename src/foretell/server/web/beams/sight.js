/**
 * Which part of a tree is in sight, and where to scroll to so that something is. Pure functions; all
 * measures but those of scrolling are the tree's own.
 *
 * @typedef {import("./layout.js").Place} Place
 * @typedef {{ left: number, top: number, right: number, bottom: number }} Part
 * @typedef {{ left: number, top: number, width: number, height: number }} Scrolled in pixels
 */

import { MARGIN, NODE } from "./layout.js";

/** A part begins and ends at multiples of this, so that it changes seldom while one scrolls. */
const GRAIN = 160;

/** Pixels around a place that come into sight with it. */
const AIR = 24;

/**
 * @param {Scrolled} scrolled how much of the picture is in sight
 * @param {number} zoom pixels of the tree's own measure
 * @returns {Part} somewhat more than it
 */
export function partInSight({ left, top, width, height }, zoom) {
  const before = (/** @type {number} */ value) => (Math.floor(value / zoom / GRAIN) - 1) * GRAIN;
  const after = (/** @type {number} */ value) => (Math.ceil(value / zoom / GRAIN) + 1) * GRAIN;
  return { left: before(left), top: before(top), right: after(left + width), bottom: after(top + height) };
}

/**
 * @param {Part | null} one
 * @param {Part} other
 */
export function isSamePart(one, other) {
  return one !== null && one.left === other.left && one.top === other.top && one.right === other.right && one.bottom === other.bottom;
}

/**
 * @param {Place} place
 * @param {Part} part
 */
export function isIn({ x, y }, part) {
  return x < part.right && x + NODE.width > part.left && y < part.bottom && y + NODE.height > part.top;
}

/**
 * Whether a line between two places crosses a part.
 *
 * @param {Place} from
 * @param {Place} to
 * @param {Part} part
 */
export function crosses(from, to, part) {
  const [upper, lower] = from.y < to.y ? [from.y, to.y] : [to.y, from.y];
  return from.x < part.right && to.x + NODE.width > part.left && upper < part.bottom && lower + NODE.height > part.top;
}

/**
 * Where to scroll so that a place is in sight; it stays where it is if it is already.
 *
 * @param {Scrolled} scrolled
 * @param {Place} place
 * @param {number} zoom
 */
export function scrolledTo({ left, top, width, height }, { x, y }, zoom) {
  const at = (/** @type {number} */ value) => (value + MARGIN) * zoom;
  return {
    left: start(left, width, at(x), NODE.width * zoom, RIGHTWARD),
    top: start(top, height, at(y), NODE.height * zoom, 0.5),
  };
}

/** Where a place comes to stand that was out of sight: what led to it is seen left of it. */
const RIGHTWARD = 0.85;

/**
 * @param {number} now the start of what is in sight
 * @param {number} length
 * @param {number} from where that begins which is to be in sight
 * @param {number} size
 * @param {number} share of the length at which its middle comes to stand if it is not
 */
function start(now, length, from, size, share) {
  const isSeen = from - AIR >= now && from + size + AIR <= now + length;
  if (isSeen) return now;
  const wanted = Math.min(from - AIR, from + size / 2 - share * length);
  return Math.max(0, from + size + AIR - length, wanted);
}
