/** What a lesson says: some sentences, what to look at, a question, and its answer. */

import { html } from "../app/html.js";
import { t } from "./texts.js";

/** @typedef {keyof typeof import("./texts.js").texts.en} Name */

/**
 * A text of a lesson.
 *
 * @param {import("./lessons.js").Lesson} lesson
 * @param {"title" | "text" | "look" | "question" | "answer"} part
 */
export function wordsOf(lesson, part) {
  return t(/** @type {Name} */ (`${lesson.id}_${part}`));
}

/** @param {{ lesson: import("./lessons.js").Lesson }} props */
export function LessonWords({ lesson }) {
  return html`
    <p>${wordsOf(lesson, "text")}</p>
    <p><strong>${t("look")}</strong> ${wordsOf(lesson, "look")}</p>
    <div>
      <p><strong>${t("question")}</strong> ${wordsOf(lesson, "question")}</p>
      <details class="answer">
        <summary>${t("answer")}</summary>
        <p>${wordsOf(lesson, "answer")}</p>
      </details>
    </div>
  `;
}
