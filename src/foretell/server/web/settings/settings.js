/** The form "Settings": made from the server's guide. */

import { useSignalEffect } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { key } from "../api/key.js";
import { html } from "../app/html.js";
import { DEFAULT_LENGTH } from "../state/generation.js";
import { settings } from "../state/store.js";
import { Biases } from "./biases.js";
import { ChainOrder } from "./chain_order.js";
import { filledIn } from "./chain.js";
import { resetAll } from "./change.js";
import { Field } from "./field.js";
import { fetchGuide, guide } from "./guide.js";
import { Groups } from "./groups.js";
import { NextToken } from "./next_token.js";
import { checked, followSettings, problem } from "./outlook.js";
import { firstTopics, namesElsewhere, warningsByName } from "./plan.js";
import { PresetAndDialect } from "./preset_and_dialect.js";
import { followLanguage } from "./said.js";
import { t } from "./texts.js";

export function Settings() {
  const [failure, setFailure] = useState("");
  const fetch = () => fetchGuide().then(() => setFailure(""), (error) => setFailure(error.status === 0 ? t("not_fetched") : error.message));
  useEffect(() => {
    const ends = [followSettings(), followLanguage()];
    return () => ends.forEach((end) => end());
  }, []);
  useSignalEffect(() => {
    if (key.value !== null && guide.peek() === null) fetch(); // at first, and with each key that is tried
  });
  const numSet = Object.keys(settings.value).length;
  return html`
    <form class="settings" aria-label=${t("settings")} novalidate onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <div class="settings-head">
        <h2>${t("settings")}</h2>
        <button type="button" class="quiet" aria-disabled=${numSet === 0} onClick=${resetAll}>${t("reset_all")}</button>
      </div>
      ${failure && html`<p class="field-error" role="alert">${failure} <button type="button" onClick=${fetch}>${t("retry")}</button></p>`}
      ${guide.value === null ? !failure && html`<p class="loading">${t("loading")}</p>` : html`<${Parts} guide=${guide.value} />`}
    </form>
  `;
}

/** @param {{ guide: import("./guide.js").Guide }} props */
function Parts({ guide }) {
  const field = fieldOf(guide);
  return html`
    <${NextToken} />
    <${PresetAndDialect} guide=${guide} error=${errorOf("preset") ?? errorOf("dialect")} />
    <div class="settings-first">${firstTopics(guide).map(field)}</div>
    <${Groups} guide=${guide} field=${field} />
    <${Biases} guide=${guide} field=${field} />
    <${ChainOrder} guide=${guide} error=${errorOf("processors")} />
    <p class="settings-elsewhere">${t("elsewhere", { names: namesElsewhere(guide).join(", ") })}</p>
  `;
}

/** @param {string} name @returns {string | null} what is wrong with a setting, in the server's words */
function errorOf(name) {
  return problem.value !== null && problem.value.param === name ? problem.value.message : null;
}

/**
 * Makes the field of a setting, with all that is known of its value.
 *
 * @param {import("./guide.js").Guide} guide
 */
function fieldOf(guide) {
  const isField = (/** @type {string} */ name) => guide.settings.some((topic) => topic.name === name);
  const warnings = problem.value === null ? warningsByName(checked.value?.warnings ?? [], isField) : {};
  return (/** @type {import("./guide.js").Topic} */ topic) => html`
    <${Field}
      key=${topic.name}
      topic=${topic}
      value=${settings.value[topic.name]}
      filled=${filledBy(guide, topic.name)}
      error=${errorOf(topic.name)}
      warnings=${warnings[topic.name] ?? []}
    />
  `;
}

/**
 * Who fills in a setting that the reader leaves alone; what is filled in, the server says.
 *
 * @param {import("./guide.js").Guide} guide
 * @param {string} name
 * @returns {import("./field.js").Filled | null}
 */
function filledBy(guide, name) {
  if (name === "max_new_tokens" && settings.value[name] === undefined) return { value: DEFAULT_LENGTH, by: "page" };
  const isCurrent = checked.value?.of === settings.value;
  const value = (isCurrent ? checked.value?.config : filledIn(guide, settings.value))?.[name];
  if (value === undefined || name in settings.value) return null;
  const preset = guide.presets.find((one) => one.name === settings.value.preset);
  if (preset && name in preset.settings) return { value, by: "preset" };
  return { value, by: "dialect" in settings.value ? "dialect" : "server" };
}
