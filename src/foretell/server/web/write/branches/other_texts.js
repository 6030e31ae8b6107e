/** The other texts of this session: trees of other prompts. */

import { html } from "../../app/html.js";
import { discardTree, openTree, shelf } from "../../state/store.js";
import { titleOf } from "../../state/titles.js";
import { t } from "./texts.js";

export function OtherTexts() {
  if (shelf.value.length === 0) return null;
  return html`
    <section class="other-texts" aria-labelledby="other-texts-title">
      <h3 id="other-texts-title">${t("texts")}</h3>
      <ul>
        ${shelf.value.map((one) => html`<${OtherText} key=${one.id} tree=${one} />`)}
      </ul>
    </section>
  `;
}

/** @param {{ tree: import("../../state/tree.js").Tree }} props */
function OtherText({ tree }) {
  const name = titleOf(tree) || t("unnamed");
  return html`
    <li>
      <button type="button" class="quiet other-text" title=${t("open", { name })} onClick=${() => openTree(tree.id)}>
        <span dir="auto">${name}</span>
      </button>
      <button type="button" class="quiet sign" aria-label=${t("discard", { name })} title=${t("discard", { name })} onClick=${() => discardTree(tree.id)}>
        <span aria-hidden="true">×</span>
      </button>
    </li>
  `;
}
