/** How long, with which seeds, against which column; begin and end. */

import { useId } from "preact/hooks";
import { html } from "../app/html.js";
import { NumberField } from "../views/number_field.js";
import { isEmpty } from "../views/prompt.js";
import { t as shared } from "../views/texts.js";
import { base, columns, compare, isRunning, length, seeds, stop } from "./state.js";
import { t } from "./texts.js";

export function Actions() {
  return html`
    <div class="view-actions">
      <${NumberField} name=${shared("tokens")} value=${length.value} change=${(/** @type {number | undefined} */ value) => (length.value = value)} low=${1} high=${1024} step=${1} placeholder="60" />
      <${Seeds} />
      <${Base} />
      <button type="button" class="main" disabled=${isRunning.value || isEmpty.value} onClick=${compare}>${shared("generate")}</button>
      <button type="button" disabled=${!isRunning.value} onClick=${stop}>${shared("stop")}</button>
    </div>
  `;
}

function Seeds() {
  const id = useId();
  return html`
    <div class="number-field">
      <label for=${id}>${t("seeds")}</label>
      <input
        id=${id}
        type="text"
        inputmode="numeric"
        value=${seeds.value}
        title=${t("seeds_help")}
        aria-describedby=${`${id}-help`}
        onInput=${(/** @type {any} */ event) => (seeds.value = event.target.value)}
      />
      <span id=${`${id}-help`} class="unseen">${t("seeds_help")}</span>
    </div>
  `;
}

function Base() {
  const id = useId();
  return html`
    <div class="choice-field">
      <label for=${id}>${t("base")}</label>
      <select id=${id} value=${base.value} onChange=${(/** @type {any} */ event) => (base.value = event.target.value)}>
        ${columns.value.map(({ letter }) => html`<option key=${letter} value=${letter}>${letter}</option>`)}
      </select>
    </div>
  `;
}
