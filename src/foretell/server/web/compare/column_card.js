/** One column: its letter, its settings, its texts. */

import { html } from "../app/html.js";
import { ColumnSettings } from "./column_settings.js";
import { MOST, lineOf, seriesOf, withColumn, withoutColumn } from "./columns.js";
import { RunText } from "./run_text.js";
import { partings } from "./runs.js";
import { asked, base, columns, isRunning, problem, resultOf, runs } from "./state.js";
import { t } from "./texts.js";

/** @param {{ column: import("./columns.js").Column }} props */
export function ColumnCard({ column }) {
  const { letter, settings } = column;
  const written = asked.value?.columns.find((one) => one.letter === letter);
  const isChanged = written !== undefined && written.settings !== settings;
  return html`
    <li class=${`column sheet series-${seriesOf(letter)}`} aria-label=${t("column", { letter })}>
      <${Head} letter=${letter} settings=${settings} />
      <div class="column-settings">
        <${ColumnSettings} column=${column} />
        ${problem.value?.letter === letter && html`<p class="field-error" role="alert">${problem.value.message}</p>`}
        <${Warnings} letter=${letter} />
        ${isChanged && html`<p class="column-changed">${t("changed")}</p>`}
      </div>
      <${Texts} letter=${letter} />
    </li>
  `;
}

/** @param {{ letter: string, settings: Record<string, any> }} props */
function Head({ letter, settings }) {
  const isFull = columns.value.length >= MOST;
  return html`
    <div class="column-head">
      <span class="letter" aria-hidden="true">${letter}</span>
      <h2 class="column-name">${lineOf(settings) || t("greedy")}</h2>
      <button type="button" class="quiet" disabled=${isFull} aria-label=${t("copy", { letter })} title=${t("copy", { letter })} onClick=${() => (columns.value = withColumn(columns.value, settings))}>
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3" /></svg>
      </button>
      <button type="button" class="quiet" disabled=${columns.value.length === 1} aria-label=${t("remove", { letter })} title=${t("remove", { letter })} onClick=${() => remove(letter)}>
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="M3.5 3.5l9 9m0-9l-9 9" /></svg>
      </button>
    </div>
  `;
}

/** @param {string} letter */
function remove(letter) {
  columns.value = withoutColumn(columns.value, letter);
  runs[letter].value = [];
  if (columns.value.every((one) => one.letter !== base.value)) base.value = columns.value[0].letter;
}

/** @param {{ letter: string }} props */
function Warnings({ letter }) {
  const found = resultOf(letter)?.warnings ?? [];
  return found.map((/** @type {string} */ one) => html`<p key=${one} class="column-warning">${one}</p>`);
}

/** @param {{ letter: string }} props */
function Texts({ letter }) {
  const all = runs[letter].value;
  const places = letter === base.value ? all.map(() => null) : partings(all, runs[base.value].value);
  if (all.length === 0) return html`<p class="column-empty">${isRunning.value ? "…" : t("waiting")}</p>`;
  return html`
    <div class="runs">
      ${all.map((run, place) => html`<${RunText} key=${place} letter=${letter} place=${place} run=${run} parts=${places[place]} />`)}
    </div>
  `;
}
