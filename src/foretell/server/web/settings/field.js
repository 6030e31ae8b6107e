/** A setting of the form: its name, what it does, a control for its value, and what is wrong with it. */

import { useId } from "preact/hooks";
import { html } from "../app/html.js";
import { setSetting } from "./change.js";
import { controlOf, isInLine } from "./fields/controls.js";
import { FieldMore } from "./field_more.js";
import { saidOf } from "./said.js";
import { t } from "./texts.js";

/**
 * @param {{ topic: import("./guide.js").Topic, value: any, filled: Filled | null, error: string | null,
 *   warnings: readonly string[] }} props
 *
 * @typedef {{ value: any, by: "preset" | "dialect" | "server" | "page" }} Filled what holds where the reader says nothing
 */
export function Field({ topic, value, filled, error, warnings }) {
  const id = useId();
  const isSet = value !== undefined;
  const Control = controlOf(topic);
  const told = [`${id}-said`, ...(error || warnings.length > 0 ? [`${id}-told`] : [])].join(" ");
  const change = (/** @type {any} */ wanted) => setSetting(topic.name, wanted);
  return html`
    <div class=${isInLine(topic) ? "field" : "field field-block"} data-setting=${topic.name} data-set=${isSet} data-wrong=${error !== null}>
      <label class="field-name" id=${`${id}-name`} for=${`${id}-input`}>${topic.name}</label>
      <button
        type="button"
        class="field-reset quiet"
        aria-label=${t("reset", { name: topic.name })}
        title=${t("reset", { name: topic.name })}
        disabled=${!isSet}
        onClick=${() => change(undefined)}
      >
        <span aria-hidden="true">↺</span>
      </button>
      <${Control} topic=${topic} value=${value} filled=${filled} change=${change} id=${id} labelled=${`${id}-name`} described=${told} isWrong=${error !== null} />
      <${FieldMore} topic=${topic} said=${saidOf(topic)[0]} id=${`${id}-said`} />
      <p class="field-told" id=${`${id}-told`} role="status">
        ${error && html`<span class="field-error">${error}</span>`}
        ${warnings.map((one) => html`<span key=${one} class="field-warning">${one}</span>`)}
      </p>
    </div>
  `;
}
