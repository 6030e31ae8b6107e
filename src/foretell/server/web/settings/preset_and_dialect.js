/** Settings for a task, and whose rules hold; what they set is shown, and what of it the reader overrides. */

import { html } from "../app/html.js";
import { settings } from "../state/store.js";
import { setSetting } from "./change.js";
import { checked } from "./outlook.js";
import { presetSaid } from "./said.js";
import { t } from "./texts.js";
import { showValue } from "./values.js";

/**
 * @typedef {import("./guide.js").Guide} Guide
 * @param {{ guide: Guide, error: string | null }} props
 */
export function PresetAndDialect({ guide, error }) {
  const preset = guide.presets.find((one) => one.name === settings.value.preset);
  const dialect = guide.dialects.find((one) => one.name === settings.value.dialect);
  const sets = { ...dialect?.defaults, ...preset?.settings };
  const presets = guide.presets.map((one) => /** @type {[string, string]} */ ([one.name, `${one.name} · ${presetSaid(one).task}`]));
  const dialects = guide.dialects.map((one) => /** @type {[string, string]} */ ([one.name, one.name]));
  return html`
    <div class="preset-choosers">
      <${Chooser} name="preset" options=${presets} told="preset-told" />
      <${Chooser} name="dialect" options=${dialects} told="preset-told" />
      <div class="preset-told" id="preset-told">
        ${preset && html`<p>${why(preset)}</p>`}
        ${Object.keys(sets).length > 0 && html`<${Sets} sets=${sets} />`}
        ${error && html`<p class="field-error" role="status">${error}</p>`}
      </div>
    </div>
  `;
}

/** @param {import("./guide.js").Preset} preset */
function why(preset) {
  const said = presetSaid(preset).why;
  const [low, high] = preset.temperatures ?? [];
  return [said && `${said}.`.replace("..", "."), low !== undefined && `${t("often", { low, high: Number(high) })}.`].filter(Boolean).join(" ");
}

/** @param {{ name: "preset" | "dialect", options: [string, string][], told: string }} props */
function Chooser({ name, options, told }) {
  return html`
    <label class="preset-chooser">
      <span>${t(name)}</span>
      <select
        value=${settings.value[name] ?? ""}
        aria-describedby=${told}
        onChange=${(/** @type {any} */ event) => setSetting(name, event.target.value)}
      >
        <option value="">${t(name === "dialect" ? "not_set" : "none")}</option>
        ${options.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}
      </select>
    </label>
  `;
}

/** @param {{ sets: Record<string, any> }} props values by the names of settings */
function Sets({ sets }) {
  return html`
    <ul class="preset-sets" aria-label=${t("sets")}>
      ${Object.entries(sets).map(([name, value]) => {
        const own = settings.value[name];
        const isOut = own === undefined && checked.value?.of === settings.value && !(name in checked.value.config);
        return html`
          <li key=${name}>
            <span class="settings-code">${name}</span>${" "}
            ${own === undefined && !isOut ? html`<span>${showValue(value)}</span>` : html`<s>${showValue(value)}</s>`}
            ${own !== undefined && html` <em>${t("yours", { value: showValue(own) })}</em>`}
          </li>
        `;
      })}
    </ul>
  `;
}
