/** What is added to a logit: a number, or a ban. */

import { html } from "../../app/html.js";
import { readNumber } from "../numbers.js";
import { t } from "../texts.js";
import { BAN } from "../values.js";
import { LateInput } from "./late_input.js";

/** @param {{ token: string, bias: number | string, change: (bias: number | "ban") => void }} props */
export function BiasControl({ token, bias, change }) {
  const isBan = bias === BAN;
  return html`
    <${LateInput}
      class="field-bias"
      inputmode="decimal"
      aria-label=${t("bias_of", { token })}
      disabled=${isBan}
      value=${isBan ? "−∞" : bias}
      commit=${(/** @type {string} */ text) => change(readNumber(text) ?? 0)}
    />
    <label class="field-ban">
      <input
        type="checkbox"
        aria-label=${t("ban_token", { token })}
        checked=${isBan}
        onChange=${(/** @type {any} */ event) => change(event.target.checked ? "ban" : 0)}
      />
      <span aria-hidden="true">${t("ban")}</span>
    </label>
  `;
}
