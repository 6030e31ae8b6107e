/** Words that a text must have: each a text, or in JSON its alternatives or token ids. */

import { html } from "../../app/html.js";
import { t } from "../texts.js";
import { asList, inLine, unescaped, withItem, withoutItem } from "../values.js";
import { ItemList } from "./item_list.js";

/** @param {import("../fields/controls.js").ControlProps} props */
export function WordsField({ topic, value, change, ...rest }) {
  const words = asList(value);
  return html`
    <${ItemList}
      ...${rest}
      name=${topic.name}
      items=${words.map((word) => ({ key: JSON.stringify(word), text: shown(word) }))}
      hint=${t("words_hint")}
      add=${(/** @type {string} */ text) => change(withItem(words, read(text)))}
      remove=${(/** @type {number} */ index) => change(withoutItem(words, index))}
    />
  `;
}

/** @param {any} word */
function shown(word) {
  return typeof word === "string" ? inLine(word) : JSON.stringify(word);
}

/**
 * A list in JSON is one; anything else is a text.
 * @param {string} text
 */
function read(text) {
  if (!text.startsWith("[")) return unescaped(text);
  try {
    return JSON.parse(text);
  } catch {
    return unescaped(text);
  }
}
