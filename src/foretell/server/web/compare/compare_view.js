/** The view "Compare": one prompt under several settings, side by side. */

import { html } from "../app/html.js";
import { settings } from "../state/store.js";
import { PromptField } from "../views/prompt_field.js";
import { Actions } from "./actions.js";
import { ColumnCard } from "./column_card.js";
import { MOST, withColumn } from "./columns.js";
import { FiguresTable } from "./figures_table.js";
import { Legend } from "./legend.js";
import { columns, problem } from "./state.js";
import { t } from "./texts.js";

export function CompareView() {
  return html`
    <div class="compare">
      <h1 class="unseen">${t("title")}</h1>
      <div class="view-head">
        <p class="view-intro">${t("intro")}</p>
        <${PromptField} />
        <${Actions} />
        <${Problem} />
      </div>
      <ol class="columns" aria-label=${t("columns")}>
        ${columns.value.map((column) => html`<${ColumnCard} key=${column.letter} column=${column} />`)}
      </ol>
      <${Adding} />
      <${Legend} />
      <${FiguresTable} />
    </div>
  `;
}

/** What is wrong with all of it; what is wrong with one column stands there. */
function Problem() {
  const found = problem.value;
  if (found === null || columns.value.some((one) => one.letter === found.letter)) return null;
  return html`<p class="view-problem" role="alert">${found.message}</p>`;
}

function Adding() {
  const isFull = columns.value.length >= MOST;
  const add = (/** @type {Record<string, any>} */ wanted) => (columns.value = withColumn(columns.value, wanted));
  return html`
    <p class="adding">
      <button type="button" disabled=${isFull} onClick=${() => add({ temperature: 1 })}>${t("add")}</button>
      <button type="button" disabled=${isFull} onClick=${() => add(settings.value)}>${t("add_of_write")}</button>
    </p>
  `;
}
