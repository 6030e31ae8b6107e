/** The settings of a search; begin and end. */

import { useId } from "preact/hooks";
import { html } from "../app/html.js";
import { JsonField } from "../views/json_field.js";
import { NumberField } from "../views/number_field.js";
import { isEmpty } from "../views/prompt.js";
import { withSetting } from "../views/settings_text.js";
import { t as shared } from "../views/texts.js";
import { isRunning, search, settings, stop } from "./state.js";
import { t } from "./texts.js";

export function SearchForm() {
  return html`
    <form class="search-form" aria-label=${t("form")} novalidate onSubmit=${begin}>
      <div class="search-fields">
        <${Number} name="num_beams" help=${t("num_beams_help")} low=${2} high=${16} step=${1} />
        <${Number} name="max_new_tokens" help=${shared("tokens_help")} low=${1} high=${256} step=${1} />
        <${Number} name="length_penalty" help=${t("length_penalty_help")} step=${0.1} placeholder="1" />
        <${EarlyStopping} />
      </div>
      <details class="search-more">
        <summary>${t("more")}</summary>
        <div class="search-fields">
          <${Number} name="no_repeat_ngram_size" help=${t("no_repeat_help")} low=${0} step=${1} />
          <${Sampling} />
          <${Number} name="temperature" low=${0} step=${0.1} />
          <${Number} name="seed" low=${0} step=${1} />
        </div>
        <${JsonField} settings=${settings.value} change=${(/** @type {Record<string, any>} */ wanted) => (settings.value = wanted)} />
      </details>
      <div class="search-actions">
        <button type="submit" class="main" disabled=${isRunning.value || isEmpty.value}>${shared("generate")}</button>
        <button type="button" disabled=${!isRunning.value} onClick=${stop}>${shared("stop")}</button>
      </div>
    </form>
  `;
}

/** @param {Event} event */
function begin(event) {
  event.preventDefault();
  if (!isEmpty.value) search();
}

/**
 * @param {string} name
 * @param {any} value
 */
function set(name, value) {
  settings.value = withSetting(settings.value, name, value);
}

/** @param {{ name: string, help?: string, low?: number, high?: number, step?: number, placeholder?: string }} props */
function Number({ name, ...rest }) {
  return html`<${NumberField} name=${name} value=${settings.value[name]} change=${(/** @type {number | undefined} */ value) => set(name, value)} ...${rest} />`;
}

function EarlyStopping() {
  const id = useId();
  const value = String(settings.value.early_stopping ?? false);
  /** @param {any} event */
  const change = ({ target }) => set("early_stopping", target.value === "never" ? "never" : target.value === "true" ? true : undefined);
  return html`
    <div class="choice-field">
      <label for=${id}>early_stopping</label>
      <select id=${id} value=${value} aria-describedby=${`${id}-help`} onChange=${change}>
        ${["false", "true", "never"].map((one) => html`<option key=${one} value=${one}>${one}</option>`)}
      </select>
      <p id=${`${id}-help`} class="field-help">${t(/** @type {"early_true"} */ (`early_${value}`))}</p>
    </div>
  `;
}

function Sampling() {
  return html`
    <label class="search-check">
      <input type="checkbox" checked=${settings.value.do_sample === true} onChange=${(/** @type {any} */ event) => set("do_sample", event.target.checked || undefined)} />
      <span>${t("sample")}</span>
    </label>
  `;
}
