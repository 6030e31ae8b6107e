/** Some items, each of which can be taken out, and a field that adds one. */

import { useState } from "preact/hooks";
import { saidOfError } from "../../app/error_words.js";
import { html } from "../../app/html.js";
import { t } from "../texts.js";

/**
 * @param {{ name: string, items: readonly { key: string, text: string, note?: string, more?: any }[], hint: string,
 *   labelled: string, described: string, id: string, isWrong: boolean, add: (text: string) => void | Promise<void>,
 *   remove: (index: number) => void }} props
 */
export function ItemList({ name, items, hint, labelled, described, id, isWrong, add, remove }) {
  const [text, setText] = useState("");
  const [failure, setFailure] = useState("");
  const put = async () => {
    if (text === "") return;
    try {
      await add(text);
      setText("");
      setFailure("");
    } catch (error) {
      setFailure(saidOfError(/** @type {import("../../api/http.js").ApiError} */ (error)));
    }
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    put();
  };
  return html`
    <div class="field-items">
      ${items.length > 0 &&
      html`
        <ul aria-labelledby=${labelled}>
          ${items.map(
            (item, index) => html`
              <li key=${item.key} class=${item.more ? "field-item field-item-wide" : "field-item"}>
                <span class="field-item-text">${item.text}</span>
                ${item.note && html`<span class="field-item-note">${item.note}</span>`} ${item.more}
                <button type="button" class="quiet field-item-remove" aria-label=${t("remove", { item: item.text })} onClick=${() => remove(index)}>
                  <span aria-hidden="true">×</span>
                </button>
              </li>
            `,
          )}
        </ul>
      `}
      <div class="field-item-add">
        <input
          type="text"
          dir="auto"
          autocomplete="off"
          spellcheck="false"
          placeholder=${items.length === 0 ? t("not_set") : ""}
          aria-labelledby=${labelled}
          aria-describedby=${`${id}-hint ${described}`}
          aria-invalid=${isWrong || failure !== ""}
          value=${text}
          onInput=${(/** @type {any} */ event) => setText(event.target.value)}
          onKeyDown=${key}
        />
        <button type="button" aria-label=${t("add_to", { name })} disabled=${text === ""} onClick=${put}>${t("add")}</button>
      </div>
      <p class="field-item-hint" id=${`${id}-hint`}>${failure ? html`<span class="field-error" role="alert">${failure}</span>` : hint}</p>
    </div>
  `;
}
