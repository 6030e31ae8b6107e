/** A number that may be left open, with its name above. */

import { useId } from "preact/hooks";
import { html } from "../app/html.js";
import { t } from "./texts.js";

/**
 * @param {{ name: string, value: number | undefined, change: (value: number | undefined) => void,
 *   help?: string, low?: number, high?: number, step?: number | "any", placeholder?: string }} props
 */
export function NumberField({ name, value, change, help, low, high, step = "any", placeholder }) {
  const id = useId();
  return html`
    <div class="number-field">
      <label for=${id}>${name}</label>
      <input
        id=${id}
        type="number"
        inputmode="decimal"
        value=${value ?? ""}
        min=${low}
        max=${high}
        step=${step}
        placeholder=${placeholder ?? t("not_set")}
        aria-describedby=${help ? `${id}-help` : undefined}
        onInput=${(/** @type {any} */ event) => change(numberOf(event.target))}
      />
      ${help && html`<p id=${`${id}-help`} class="field-help">${help}</p>`}
    </div>
  `;
}

/** @param {HTMLInputElement} input */
function numberOf(input) {
  return input.value.trim() === "" || Number.isNaN(input.valueAsNumber) ? undefined : input.valueAsNumber;
}
