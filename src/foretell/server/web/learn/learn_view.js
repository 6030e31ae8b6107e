/** The view "Learn". */

import { html } from "../app/html.js";
import { t } from "../app/texts.js";

export function LearnView() {
  return html`<h1>${t("learn")}</h1>`;
}
