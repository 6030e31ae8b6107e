/** What is added to a logit: a number, or a ban. */

import { html } from "../../app/html.js";
import { readNumber } from "../numbers.js";
import { t } from "../texts.js";
import { BAN } from "../values.js";

/** @param {{ token: string, bias: number | string, change: (bias: number | "ban") => void }} props */
export function BiasControl({ token, bias, change }) {
  const isBan = bias === BAN;
  return html`
    <input
      class="field-bias"
      type="text"
      inputmode="decimal"
      aria-label=${t("bias_of", { token })}
      disabled=${isBan}
      value=${isBan ? "−∞" : bias}
      onChange=${(/** @type {any} */ event) => change(readNumber(event.target.value) ?? 0)}
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
