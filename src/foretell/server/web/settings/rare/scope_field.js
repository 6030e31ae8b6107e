/** Which tokens penalties see: all of some kind, or so many of the last. */

import { html } from "../../app/html.js";
import { readNumber } from "../numbers.js";
import { t } from "../texts.js";
import { LateInput } from "./late_input.js";

const SCOPES = ["prompt", "output", "all"];

/** How many tokens "the last …" begins with: llama.cpp's own. */
const LAST = 64;

/** @param {import("../fields/controls.js").ControlProps} props */
export function ScopeField({ value, change, id, labelled, described, isWrong }) {
  const isNumber = typeof value === "number";
  const choice = (/** @type {any} */ one, /** @type {string} */ name, /** @type {boolean} */ isChosen) => html`
    <label key=${name} class="field-choice">
      <input type="radio" name=${id} checked=${isChosen} onChange=${() => change(one)} />
      <span>${name}</span>
    </label>
  `;
  return html`
    <div class="field-choices" role="radiogroup" aria-labelledby=${labelled} aria-describedby=${described}>
      ${choice(undefined, t("not_set"), value === undefined)}
      ${SCOPES.map((one) => choice(one, one, value === one))}
      ${choice(LAST, t("last_n"), isNumber)}
    </div>
    ${isNumber &&
    html`
      <label class="field-part">
        <span>${t("tokens_back")}</span>
        <${LateInput}
          inputmode="numeric"
          aria-invalid=${isWrong}
          value=${value}
          commit=${(/** @type {string} */ text) => change(readNumber(text) ?? LAST)}
        />
      </label>
    `}
  `;
}
