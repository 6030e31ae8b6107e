/** What the shades of tokens mean. */

import { html } from "../app/html.js";
import { LIMITS } from "../text/shade.js";
import { t } from "./texts.js";

export function Legend() {
  const limits = LIMITS.probability.map((limit) => `< ${limit * 100}%`);
  return html`
    <p class="shades">
      <span>${t("shades")}</span>
      ${limits.map((limit, index) => html`<span key=${limit} class=${`token step-${index + 1}`}>${limit}</span>`)}
      <span>${t("shades_help")}</span>
    </p>
  `;
}
