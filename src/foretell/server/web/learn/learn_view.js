/** The view "Learn": ten lessons, each of which sets up the rest of the page. */

import { html } from "../app/html.js";
import { LESSONS } from "./lessons.js";
import { LessonCard } from "./lesson_card.js";
import { t } from "./texts.js";

export function LearnView() {
  return html`
    <div class="learn">
      <header class="learn-head">
        <h1>${t("title")}</h1>
        <p>${t("introduction")}</p>
      </header>
      <ol class="lessons">
        ${LESSONS.map((lesson, index) => html`<${LessonCard} key=${lesson.id} lesson=${lesson} number=${index + 1} />`)}
      </ol>
    </div>
  `;
}
