/** The lesson that is followed, and which have been tried. */

import { signal } from "@preact/signals";
import { recall, remember } from "./kept.js";

/** @typedef {import("../learn/lessons.js").Lesson} Lesson */

const NAME = "lessons";

/** The lesson whose text stands above the view; null: none does. */
export const lesson = signal(/** @type {Lesson | null} */ (null));

/** The ids of the lessons that were begun, in this browser. */
export const tried = signal(/** @type {readonly string[]} */ (recall(NAME)?.split(" ") ?? []));

/** @param {string} id */
export function markTried(id) {
  if (tried.value.includes(id)) return;
  tried.value = [...tried.value, id];
  remember(NAME, tried.value.join(" "));
}
