/** The region "Text": what the model wrote, token by token. */

import { html } from "../../app/html.js";
import { tokens } from "../../state/store.js";
import { boxesOf } from "../../text/token.js";
import { t } from "../texts.js";

export function Text() {
  return html`
    <section class="text" aria-label=${t("text")} dir="auto">
      ${boxesOf(tokens.value).map((box) => html`<button key=${box.start} type="button" class="token">${box.text}</button>`)}
    </section>
  `;
}
