/** How the text is shown: what its shading tells, with a key to it, or as a table. */

import { html } from "../../app/html.js";
import { LIMITS, MEASURES } from "../../text/shade.js";
import { showsPrompt } from "./prompt_tokens.js";
import { isTable, measure } from "./text_state.js";
import { t } from "./texts.js";

export function TextTools() {
  return html`
    <div class="text-tools">
      <label class="shading">
        <span>${t("shading")}</span>
        <select value=${measure.value} onChange=${(/** @type {any} */ event) => (measure.value = event.target.value)}>
          ${["none", ...MEASURES].map(
            (one) => html`<option key=${one} value=${one}>${t(/** @type {import("../../text/shade.js").Measure | "none"} */ (one))}</option>`,
          )}
        </select>
      </label>
      <${Legend} />
      <${Check} label=${t("as_table")} state=${isTable} />
      <${Check} label=${t("with_prompt")} state=${showsPrompt} />
    </div>
  `;
}

/** @param {{ label: string, state: import("@preact/signals").Signal<boolean> }} props */
function Check({ label, state }) {
  return html`
    <label class="check">
      <input
        type="checkbox"
        checked=${state.value}
        onChange=${(/** @type {any} */ event) => (state.value = event.target.checked)}
      />
      ${label}
    </label>
  `;
}

/** Which step of the shading stands for what. */
function Legend() {
  const shown = measure.value;
  if (shown === "none") return null;
  return html`
    <ul class="legend" aria-label=${t("legend")}>
      ${[0, 1, 2, 3, 4].map((step) => html`<li key=${step}><span class=${`token step-${step}`}>${rangeOf(shown, step)}</span></li>`)}
    </ul>
  `;
}

/**
 * @param {import("../../text/shade.js").Measure} measure
 * @param {number} step
 */
function rangeOf(measure, step) {
  const limits = LIMITS[measure];
  if (measure === "probability") {
    return step < limits.length ? `≥ ${limits[step] * 100}%` : `< ${limits[limits.length - 1] * 100}%`;
  }
  return step === 0 ? `< ${limits[0]}` : `≥ ${limits[step - 1]}${step === limits.length ? ` ${t("nats")}` : ""}`;
}
