/** "Not set", or a value of several parts, which begins as something that makes sense. */

import { html } from "../../app/html.js";
import { t } from "../texts.js";

/**
 * @param {{ id: string, labelled: string, described: string, options: readonly [string, any][], chosen: number,
 *   change: (value: any) => void }} props options are names and values; `chosen` is one's index, -1: it is not set
 */
export function Switch({ id, labelled, described, options, chosen, change }) {
  const all = /** @type {[string, any][]} */ ([[t("not_set"), undefined], ...options]);
  return html`
    <div class="field-choices" role="radiogroup" aria-labelledby=${labelled} aria-describedby=${described}>
      ${all.map(
        ([name, value], index) => html`
          <label key=${name} class="field-choice">
            <input type="radio" name=${id} checked=${index === chosen + 1} onChange=${() => change(value)} />
            <span>${name}</span>
          </label>
        `,
      )}
    </div>
  `;
}
