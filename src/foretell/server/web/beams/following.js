/** What of the tree is in sight, and what is brought there. */

import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { MARGIN, leaderOf } from "./layout.js";
import { isSamePart, partInSight, scrolledTo } from "./sight.js";
import { focus, layout, shownSteps } from "./state.js";

/** @typedef {import("./layout.js").Place} Place */

const PADDING = 18;

/**
 * How wide the tree may be without being scrolled.
 *
 * @param {{ current: HTMLElement | null }} frame
 */
export function useRoom(frame) {
  const [room, setRoom] = useState(0);
  useLayoutEffect(() => {
    const element = /** @type {HTMLElement} */ (frame.current);
    const watch = new ResizeObserver(() => setRoom(element.clientWidth - PADDING));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return room;
}

/**
 * @param {HTMLElement} frame
 * @returns {import("./sight.js").Scrolled}
 */
function scrolledOf(frame) {
  return { left: frame.scrollLeft, top: frame.scrollTop, width: frame.clientWidth, height: frame.clientHeight };
}

/**
 * The part of the tree that is in sight; null: not known yet.
 *
 * @param {{ current: HTMLElement | null }} frame
 * @param {number} zoom
 * @param {number} room its width
 */
export function useSight(frame, zoom, room) {
  const [part, setPart] = useState(/** @type {import("./sight.js").Part | null} */ (null));
  useLayoutEffect(() => {
    const element = /** @type {HTMLElement} */ (frame.current);
    const look = () => setPart((before) => changed(before, partInSight(scrolledOf(element), zoom)));
    look();
    element.addEventListener("scroll", look, { passive: true });
    return () => element.removeEventListener("scroll", look);
  }, [zoom, room, layout.value.height, layout.value.width]);
  return part;
}

/**
 * @param {import("./sight.js").Part | null} before
 * @param {import("./sight.js").Part} now
 */
function changed(before, now) {
  return isSamePart(before, now) ? before : now;
}

/**
 * Scrolls to a place, if it is out of sight.
 *
 * @param {HTMLElement} frame
 * @param {Place | undefined} place
 * @param {number} zoom
 */
function bringIntoSight(frame, place, zoom) {
  if (place === undefined) return;
  const { left, top } = scrolledTo(scrolledOf(frame), place, zoom);
  frame.scrollLeft = left;
  frame.scrollTop = top;
}

/**
 * Shows the step that was reached, as the search goes on or the reader goes through its steps; and the
 * candidate that was turned to elsewhere.
 *
 * @param {{ current: HTMLElement | null }} frame
 * @param {number} zoom
 */
export function useFollowing(frame, zoom) {
  useEffect(() => {
    const element = /** @type {HTMLElement} */ (frame.current);
    const { places } = layout.value;
    if (!element.contains(document.activeElement)) bringIntoSight(element, leaderOf(places, shownSteps.value - 1), zoom);
  }, [shownSteps.value, zoom, layout.value.height]);
  useEffect(() => {
    const element = /** @type {HTMLElement} */ (frame.current);
    bringIntoSight(element, layout.value.byId.get(focus.value ?? ""), zoom);
  }, [focus.value, zoom]);
}
