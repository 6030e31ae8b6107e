/** JSX without a build step. What is put in between is text or an attribute, never markup. */

import { h } from "preact";
import htm from "htm";

/** Tells htm that a part of a template is to be made anew each time. */
const KEEP_NOTHING = 3;

export const html = htm.bind(create);

/**
 * htm would keep the parts that never change for good, and with them what they once stood in: its
 * properties, and so whole texts with all that is known of them.
 *
 * @this {number[]} htm's notes on the part
 * @param {Parameters<typeof h>} parts
 */
function create(...parts) {
  this[0] = KEEP_NOTHING;
  return h(...parts);
}
