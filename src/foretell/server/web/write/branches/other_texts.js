/** The other texts of this session: trees of other prompts. */

import { html } from "../../app/html.js";
import { discardTree, discarded, openTree, recoverTree, shelf } from "../../state/store.js";
import { titleOf } from "../../state/titles.js";
import { beginningOf } from "./rows.js";
import { t } from "./texts.js";

export function OtherTexts() {
  if (shelf.value.length === 0 && discarded.value === null) return null;
  return html`
    <section class="other-texts" aria-labelledby="other-texts-title">
      <h3 id="other-texts-title">${t("texts")}</h3>
      <ul>
        ${shelf.value.map((one) => html`<${OtherText} key=${one.id} tree=${one} />`)}
      </ul>
      <${Recover} />
    </section>
  `;
}

/** The text that was deleted last, and the button that brings it back. */
function Recover() {
  const last = discarded.value;
  return html`
    <div role="status" class=${last === null ? "" : "branch-undo"}>
      ${last !== null &&
      html`
        <p dir="auto">${t("deleted", { name: `“${titleOf(last) || t("unnamed")}”` })}</p>
        <button type="button" onClick=${recoverTree}>${t("undo")}</button>
      `}
    </div>
  `;
}

/** @param {{ tree: import("../../state/tree.js").Tree }} props */
function OtherText({ tree }) {
  const name = titleOf(tree) || t("unnamed");
  const branch = tree.branches.find((one) => one.tokens.length > 0);
  return html`
    <li>
      <button type="button" class="quiet other-text" title=${t("open", { name })} onClick=${() => openTree(tree.id)}>
        <span dir="auto">${name}</span>
        ${branch !== undefined && html`<span class="branch-facts" dir="auto">${beginningOf(branch)}</span>`}
      </button>
      <button type="button" class="quiet sign" aria-label=${t("discard", { name })} title=${t("discard", { name })} onClick=${() => discardTree(tree.id)}>
        <span aria-hidden="true">×</span>
      </button>
    </li>
  `;
}
