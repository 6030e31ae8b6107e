/** A value of several numbers, a field each. */

import { html } from "../../app/html.js";
import { readNumber, showNumber } from "../numbers.js";
import { LateInput } from "./late_input.js";

/**
 * @param {{ parts: readonly { key: string, name: string, value: number }[], labelled: string, described: string,
 *   isWrong: boolean, change: (key: string, value: number) => void }} props
 */
export function Parts({ parts, labelled, described, isWrong, change }) {
  return html`
    <div class="field-parts" role="group" aria-labelledby=${labelled} aria-describedby=${described}>
      ${parts.map(
        ({ key, name, value }) => html`
          <label key=${key} class="field-part">
            <span>${name}</span>
            <${LateInput}
              inputmode="decimal"
              aria-invalid=${isWrong}
              value=${showNumber(value)}
              commit=${(/** @type {string} */ text) => change(key, readNumber(text) ?? value)}
            />
          </label>
        `,
      )}
    </div>
  `;
}
