/** The view "Compare". */

import { html } from "../app/html.js";
import { t } from "../app/texts.js";

export function CompareView() {
  return html`<h1>${t("compare")}</h1>`;
}
