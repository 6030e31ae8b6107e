/** A list of texts, as stop strings are. */

import { html } from "../../app/html.js";
import { t } from "../texts.js";
import { asList, inLine, unescaped, withItem, withoutItem } from "../values.js";
import { ItemList } from "./item_list.js";

/** @param {import("../fields/controls.js").ControlProps} props */
export function TextsField({ topic, value, change, ...rest }) {
  const isPattern = topic.name.endsWith("regex");
  const texts = asList(value);
  return html`
    <${ItemList}
      ...${rest}
      name=${topic.name}
      items=${texts.map((text) => ({ key: text, text: isPattern ? text : inLine(text) }))}
      hint=${t(isPattern ? "regex_hint" : "texts_hint")}
      add=${(/** @type {string} */ text) => change(withItem(texts, isPattern ? text : unescaped(text)))}
      remove=${(/** @type {number} */ index) => change(withoutItem(texts, index))}
    />
  `;
}
