/** A long list comes up some at a time, a frame each, so that no frame takes long. */

import { useEffect, useRef, useState } from "preact/hooks";

/**
 * Those of a list that are to be drawn now: all that were, and so many more; the rest follows.
 *
 * @template {{ id: string }} T
 * @param {readonly T[]} wanted
 * @param {number} most
 * @param {ReadonlySet<string>} [urgent] ids of those that do not wait
 * @returns {T[]}
 */
export function useSlices(wanted, most, urgent = new Set()) {
  const drawn = useRef(/** @type {ReadonlySet<string>} */ (new Set()));
  const [, drawAgain] = useState(0);
  const { now, isWhole } = sliceOf(wanted, drawn.current, most, urgent);
  drawn.current = new Set(now.map(({ id }) => id));
  useEffect(() => {
    if (isWhole) return undefined;
    const frame = requestAnimationFrame(() => drawAgain((count) => count + 1));
    return () => cancelAnimationFrame(frame);
  });
  return now;
}

/**
 * @template {{ id: string }} T
 * @param {readonly T[]} wanted
 * @param {ReadonlySet<string>} drawn ids of those that are there already
 * @param {number} most
 * @param {ReadonlySet<string>} urgent
 * @returns {{ now: T[], isWhole: boolean }}
 */
function sliceOf(wanted, drawn, most, urgent) {
  let room = most;
  const now = wanted.filter(({ id }) => drawn.has(id) || urgent.has(id) || room-- > 0);
  return { now, isWhole: now.length === wanted.length };
}
