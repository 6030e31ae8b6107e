/** The text as a field, in place of its tokens. */

import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { html } from "../../app/html.js";
import { tokens } from "../../state/store.js";
import { rowsOf } from "../prompt/typing.js";
import { reporting } from "../prompt/reporting.js";
import { showCount } from "../../text/numbers.js";
import { editableText, keptOf } from "./difference.js";
import { cancelEdit, finishEdit } from "./edit_state.js";
import { t } from "./texts.js";

export function EditBox() {
  const before = tokens.value;
  const [text, setText] = useState(() => editableText(before));
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  useLayoutEffect(() => field.current?.focus(), []);
  const finish = (/** @type {boolean} */ goesOn) => reporting(() => finishEdit(text, { goesOn }));
  return html`
    <section class="edit sheet" aria-label=${t("edited")} data-heir="edit-button" onKeyDown=${(/** @type {KeyboardEvent} */ event) => byKey(event, finish)}>
      <textarea
        ref=${field}
        class="edit-text"
        aria-label=${t("edited")}
        rows=${Math.max(6, rowsOf(text))}
        dir="auto"
        spellcheck="false"
        value=${text}
        onInput=${(/** @type {any} */ event) => setText(event.target.value)}
      ></textarea>
      <${Kept} text=${text} tokens=${before} />
      <div class="actions">
        <button type="button" class="main" onClick=${() => finish(true)}>${t("go_on")}</button>
        <button type="button" onClick=${() => finish(false)}>${t("done")}</button>
        <button type="button" class="quiet" onClick=${cancelEdit}>${t("cancel")}</button>
      </div>
    </section>
  `;
}

/** @param {{ text: string, tokens: import("../../text/token.js").Token[] }} props */
function Kept({ text, tokens: before }) {
  const { num_kept } = useMemo(() => keptOf(before, text), [before, text]);
  return html`<p class="quiet-text">${t("help", { kept: showCount(num_kept), all: showCount(before.length) })}</p>`;
}

/**
 * @param {KeyboardEvent} event
 * @param {(goesOn: boolean) => void} finish
 */
function byKey(event, finish) {
  if (event.key === "Escape") cancelEdit();
  else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) finish(true);
  else return;
  event.preventDefault();
}
