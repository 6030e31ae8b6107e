/** Events as a page can show them: together, once a frame. */

/**
 * Give all that comes to `take`, in lists: what has come since the frame before, and at the end the
 * rest, also where it ends with an error.
 *
 * @template T
 * @param {AsyncIterable<T>} events
 * @param {(events: T[]) => void} take
 */
export async function inFrames(events, take) {
  /** @type {T[]} */
  let waiting = [];
  let frame = 0;
  const flush = () => {
    const all = waiting;
    waiting = [];
    frame = 0;
    if (all.length > 0) take(all);
  };
  try {
    for await (const event of events) {
      waiting.push(event);
      if (frame === 0) frame = requestAnimationFrame(flush);
    }
  } finally {
    cancelAnimationFrame(frame);
    flush();
  }
}
