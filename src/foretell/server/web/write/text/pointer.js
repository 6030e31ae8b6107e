/** Tells what a pointer does from what happens under it: a page that scrolls moves no pointer. */

let last = { x: -1, y: -1 };

globalThis.document?.addEventListener("pointermove", ({ clientX: x, clientY: y }) => (last = { x, y }));

/**
 * Whether it is the pointer that has moved, and no finger.
 *
 * @param {PointerEvent} event one that comes before the document hears of it
 */
export function hasMoved({ pointerType, clientX, clientY }) {
  return pointerType !== "touch" && (clientX !== last.x || clientY !== last.y);
}
