/** Token ids, which may be given as a text: one, or a list of them. */

import { useEffect } from "preact/hooks";
import { html } from "../../app/html.js";
import { t } from "../texts.js";
import { findNames, idsOf, tokenNames } from "../token_names.js";
import { asList, inLine, readIds, withItem, withoutItem } from "../values.js";
import { ItemList } from "./item_list.js";

/** @param {import("../fields/controls.js").ControlProps} props */
export function TokensField({ topic, value, change, ...rest }) {
  const ids = asList(value);
  const isOne = topic.notation === "token_id";
  useEffect(() => {
    findNames(ids);
  }, [value]);
  const add = async (/** @type {string} */ text) => {
    const found = readIds(text) ?? (await idsOf(text));
    change(isOne ? found[0] : found.reduce(withItem, ids));
  };
  return html`
    <${ItemList}
      ...${rest}
      name=${topic.name}
      items=${ids.map((id) => ({ key: String(id), text: tokenName(id), note: String(id) }))}
      hint=${t("ids_hint")}
      add=${add}
      remove=${(/** @type {number} */ index) => change(withoutItem(ids, index))}
    />
  `;
}

/** @param {number} id */
export function tokenName(id) {
  return inLine(tokenNames.value[id] ?? "…");
}
