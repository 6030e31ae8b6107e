/** The view "Beams". */

import { html } from "../app/html.js";
import { t } from "../app/texts.js";

export function BeamsView() {
  return html`<h1>${t("beams")}</h1>`;
}
