/** What can be done with the branch that is shown: its name, its note, its end. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { html } from "../../app/html.js";
import { current } from "../../state/store.js";
import { annotate, remove, rename, renaming } from "./changes.js";
import { t } from "./texts.js";

export function BranchTools() {
  const { id, parent, note } = current.value;
  const [isOpen, setOpen] = useState(false);
  return html`
    <div class="branch-tools">
      <button type="button" class="quiet" onClick=${() => (renaming.value = id)}>${t("rename")}</button>
      <button type="button" class="quiet" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>${t("note")}</button>
      <button type="button" class="quiet" disabled=${parent === null} onClick=${() => remove(id)}>${t("delete")}</button>
    </div>
    ${isOpen &&
    html`
      <textarea
        key=${id}
        class="branch-note-field"
        aria-label=${t("note_of")}
        placeholder=${t("note_placeholder")}
        rows="2"
        dir="auto"
        value=${note}
        onInput=${(/** @type {any} */ event) => annotate(id, event.target.value)}
      ></textarea>
    `}
  `;
}

/** @param {{ branch: import("../../state/tree.js").Branch }} props the name as a field: Enter keeps it, Escape does not */
export function NameField({ branch }) {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useLayoutEffect(() => field.current?.select(), []);
  const end = (/** @type {string} */ name) => {
    rename(branch.id, name);
    requestAnimationFrame(() => document.getElementById(`branch-${branch.id}`)?.focus());
  };
  /** @param {any} event */
  const byKey = (event) => {
    event.stopPropagation();
    if (event.key === "Enter" && !event.isComposing) end(event.target.value);
    if (event.key === "Escape") end(branch.name);
  };
  return html`
    <input
      ref=${field}
      type="text"
      class="branch-name-field"
      aria-label=${t("name_of")}
      value=${branch.name}
      onKeyDown=${byKey}
      onClick=${(/** @type {Event} */ event) => event.stopPropagation()}
      onBlur=${(/** @type {any} */ event) => renaming.value === branch.id && rename(branch.id, event.target.value)}
    />
  `;
}
