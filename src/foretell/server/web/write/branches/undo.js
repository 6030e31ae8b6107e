/** What was deleted last, and the button that brings it back. */

import { html } from "../../app/html.js";
import { tree } from "../../state/store.js";
import { deleted, undo } from "./changes.js";
import { labelOf } from "./labels.js";
import { t } from "./texts.js";

export function Undo() {
  const last = deleted.value;
  if (last === null || last.tree !== tree.value.id) return html`<div role="status"></div>`;
  const [first, ...others] = last.branches;
  const name = `“${labelOf(first)}”`;
  return html`
    <div role="status" class="branch-undo">
      <p dir="auto">${others.length === 0 ? t("deleted", { name }) : t("deleted_with", { name, count: others.length })}</p>
      <button type="button" onClick=${undo}>${t("undo")}</button>
    </div>
  `;
}
