/** Has the page show a lesson, in one go: prompt, settings, tab, and the text. */

import { tell } from "../app/notices.js";
import { tab } from "../app/view.js";
import { goOn, stop, writing } from "../state/generation.js";
import { lesson as followed, markTried } from "../state/lesson.js";
import { focus, settings, tree } from "../state/store.js";
import { newTree } from "../state/tree.js";
import { comparisonOf } from "./comparison.js";
import { LESSONS } from "./lessons.js";

/** @typedef {import("./lessons.js").Lesson} Lesson */

const WAYS = { write, compare, beams };

/** The settings of Write before the first lesson that was followed. @type {Record<string, any>} */
let ownSettings = {};

/** @param {Lesson} lesson */
export function begin(lesson) {
  if (!isLessons(settings.value)) ownSettings = settings.value;
  followed.value = lesson;
  markTried(lesson.id);
  tab.value = lesson.view;
  WAYS[lesson.view](lesson).catch((error) => tell("error", error.message));
}

/** Follow no lesson any more: the reader has the settings back, unless a lesson's were changed since. */
export function leave() {
  followed.value = null;
  if (isLessons(settings.value)) settings.value = ownSettings;
}

/** @param {Record<string, any>} now whether they are a lesson's, as it set them */
function isLessons(now) {
  return LESSONS.some((one) => one.settings === now);
}

/** @param {Lesson} lesson */
async function write(lesson) {
  stop();
  await until(writing, (id) => id === null);
  focus.value = null;
  settings.value = lesson.settings;
  tree.value = newTree({ mode: "text", text: lesson.prompt, messages: [], ids: null });
  await goOn();
  if (followed.value === lesson && lesson.focus !== undefined) focus.value = lesson.focus;
}

/** @param {Lesson} lesson */
async function compare(lesson) {
  const [view, { ownText }] = await Promise.all([import("../compare/state.js"), import("../views/prompt.js")]);
  view.stop();
  await until(view.isRunning, (isRunning) => !isRunning);
  const { columns, seeds, length } = comparisonOf(lesson);
  ownText.value = lesson.prompt;
  view.columns.value = columns;
  view.seeds.value = seeds;
  view.length.value = length;
  await view.compare();
}

/** @param {Lesson} lesson */
async function beams(lesson) {
  const [view, { ownText }] = await Promise.all([import("../beams/state.js"), import("../views/prompt.js")]);
  view.stop();
  await until(view.isRunning, (isRunning) => !isRunning);
  ownText.value = lesson.prompt;
  view.settings.value = lesson.settings;
  await view.search();
}

/**
 * Once a signal has a value that will do.
 *
 * @template T
 * @param {import("@preact/signals").ReadonlySignal<T>} signal
 * @param {(value: T) => boolean} isGood
 */
function until(signal, isGood) {
  return new Promise((resolve) => {
    const end = signal.subscribe((value) => {
      if (!isGood(value)) return;
      resolve(undefined);
      queueMicrotask(() => end());
    });
  });
}
