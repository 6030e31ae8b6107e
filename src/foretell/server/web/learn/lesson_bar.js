/** The lesson that is followed, above the view that it has set up. */

import { useEffect, useRef } from "preact/hooks";
import { html } from "../app/html.js";
import { announce } from "../app/notices.js";
import { tab } from "../app/view.js";
import { lesson } from "../state/lesson.js";
import { LESSONS } from "./lessons.js";
import { LessonWords, wordsOf } from "./lesson_words.js";
import { begin, leave } from "./set_up.js";
import { t } from "./texts.js";

export function LessonBar() {
  const followed = lesson.value;
  const title = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => tellOf(followed, title.current), [followed]);
  if (followed === null || tab.value === "learn") return null;
  const number = LESSONS.indexOf(followed) + 1;
  return html`
    <section class="lesson-bar" aria-labelledby="lesson-title">
      <h2 id="lesson-title" ref=${title} tabindex="-1">
        <span class="lesson-place">${t("lesson", { number, count: LESSONS.length })}</span>
        ${wordsOf(followed, "title")}
      </h2>
      <div class="lesson-steps">
        <${Step} to=${LESSONS[number - 2]} name=${t("previous")} />
        <button type="button" onClick=${() => begin(followed)}>${t("again")}</button>
        <${Step} to=${LESSONS[number]} name=${t("following")} />
        <button type="button" class="quiet" onClick=${leave}>${t("close")}</button>
      </div>
      <div class="lesson-words"><${LessonWords} key=${followed.id} lesson=${followed} /></div>
    </section>
  `;
}

/**
 * A lesson that begins has the keyboard, unless the reader goes from one to the next by the buttons.
 *
 * @param {import("./lessons.js").Lesson | null} followed
 * @param {HTMLElement | null} title
 */
function tellOf(followed, title) {
  if (followed === null) return;
  if (title?.closest(".lesson-bar")?.contains(document.activeElement)) announce(wordsOf(followed, "title"));
  else title?.focus({ preventScroll: true });
}

/** @param {{ to: import("./lessons.js").Lesson | undefined, name: string }} props */
function Step({ to, name }) {
  return html`
    <button type="button" disabled=${to === undefined} onClick=${to && (() => begin(to))}>${name}</button>
  `;
}
