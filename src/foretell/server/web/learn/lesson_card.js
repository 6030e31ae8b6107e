/** A lesson in the list. */

import { html } from "../app/html.js";
import { tried } from "../state/lesson.js";
import { wordsOf } from "./lesson_words.js";
import { begin } from "./set_up.js";
import { t } from "./texts.js";

/** @param {{ lesson: import("./lessons.js").Lesson, number: number }} props */
export function LessonCard({ lesson, number }) {
  const name = `lesson-${lesson.id}`;
  return html`
    <li class="lesson-card sheet" aria-labelledby=${name}>
      <p class="lesson-number" aria-hidden="true">${number}</p>
      <div>
        <h2 id=${name}>${wordsOf(lesson, "title")}</h2>
        <p class="lesson-place">
          ${t("section", { number: lesson.section })}
          ${tried.value.includes(lesson.id) ? html`<span class="lesson-tried">${t("tried")}</span>` : null}
        </p>
      </div>
      <p class="lesson-text">${wordsOf(lesson, "text")}</p>
      <button type="button" aria-describedby=${name} onClick=${() => begin(lesson)}>${t("try")}</button>
    </li>
  `;
}
