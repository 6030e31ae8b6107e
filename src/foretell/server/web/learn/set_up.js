/** Has the page show a lesson, in one go: prompt, settings, tab, and the text. */

import { tell } from "../app/notices.js";
import { tab } from "../app/view.js";
import { goOn, stop, writing } from "../state/generation.js";
import { lesson as followed, markTried, wish } from "../state/lesson.js";
import { focus, settings, tree } from "../state/store.js";
import { newTree } from "../state/tree.js";

/** @param {import("./lessons.js").Lesson} lesson */
export function begin(lesson) {
  followed.value = lesson;
  markTried(lesson.id);
  tab.value = lesson.view;
  if (lesson.view === "write") writeIt(lesson).catch((error) => tell("error", error.message));
  else wish.value = lesson;
}

/** @param {import("./lessons.js").Lesson} lesson */
async function writeIt(lesson) {
  stop();
  await stopped();
  focus.value = null;
  settings.value = lesson.settings;
  tree.value = newTree({ mode: "text", text: lesson.prompt, messages: [], ids: null }, lesson.settings);
  await goOn();
  if (followed.value === lesson && lesson.focus !== undefined) focus.value = lesson.focus;
}

/** Once nothing is written any more. */
function stopped() {
  return new Promise((resolve) => {
    const end = writing.subscribe((id) => {
      if (id !== null) return;
      resolve(undefined);
      queueMicrotask(() => end());
    });
  });
}
