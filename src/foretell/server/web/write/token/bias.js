/** Makes a token likelier or rarer in all that is written from now on, or bans it. */

import { html } from "../../app/html.js";
import { settings } from "../../state/store.js";
import { biasesOf } from "../../settings/values.js";
import { nameOf } from "../../text/visible.js";
import { t } from "./texts.js";

/** How a token is biased: by so much; not at all (null); or it is banned. @typedef {number | "ban" | null} Wish */
/** @typedef {(tokenId: number, text: string, wish: Wish) => void} SetBias */

/** @param {{ candidate: import("../../text/token.js").Candidate, setBias: SetBias }} props */
export function Bias({ candidate, setBias }) {
  const { token_id, token, bytes } = candidate;
  const now = biasesOf(settings.value.logit_bias)[token_id];
  const by = (/** @type {number} */ step) => setBias(token_id, token, (Number.isFinite(now) ? now : 0) + step || null);
  return html`
    <details class="bias">
      <summary aria-label=${t("bias_of", { token: nameOf({ text: token, bytes }) })} title=${t("bias")}>${shown(now)}</summary>
      <div class="bias-choices">
        <button type="button" onClick=${() => by(1)}>${t("likelier")}</button>
        <button type="button" onClick=${() => by(-1)}>${t("rarer")}</button>
        <button type="button" aria-pressed=${isBanned(now)} onClick=${() => setBias(token_id, token, isBanned(now) ? null : "ban")}>${t("ban")}</button>
        ${now !== undefined && html`<button type="button" class="quiet" onClick=${() => setBias(token_id, token, null)}>${t("no_bias")}</button>`}
      </div>
    </details>
  `;
}

/** @param {number | string | undefined} bias */
function isBanned(bias) {
  return bias !== undefined && !Number.isFinite(Number(bias));
}

/** @param {number | string | undefined} bias */
function shown(bias) {
  if (bias === undefined) return "±";
  if (isBanned(bias)) return "⊘";
  return Number(bias) > 0 ? `+${bias}` : `−${Math.abs(Number(bias))}`;
}
