/** The region "Token": how the token in focus came to be chosen. */

import { html } from "../../app/html.js";
import { t } from "../texts.js";

export function TokenPanel() {
  return html`<section class="token-panel sheet" aria-label=${t("token")}></section>`;
}
