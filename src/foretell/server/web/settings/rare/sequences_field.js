/** Sequences of token ids, each of which may be given as a text. */

import { useEffect } from "preact/hooks";
import { html } from "../../app/html.js";
import { t } from "../texts.js";
import { findNames, idsOf } from "../token_names.js";
import { asList, readIds, withItem, withoutItem } from "../values.js";
import { ItemList } from "./item_list.js";
import { tokenName } from "./tokens_field.js";

/** @param {import("../fields/controls.js").ControlProps} props */
export function SequencesField({ topic, value, change, ...rest }) {
  /** @type {number[][]} */
  const sequences = asList(value);
  useEffect(() => {
    findNames(sequences.flat());
  }, [value]);
  const add = async (/** @type {string} */ text) => change(withItem(sequences, readIds(text) ?? (await idsOf(text))));
  return html`
    <${ItemList}
      ...${rest}
      name=${topic.name}
      items=${sequences.map((ids) => ({ key: ids.join(), text: ids.map(tokenName).join(""), note: ids.join(" ") }))}
      hint=${t("sequence_hint")}
      add=${add}
      remove=${(/** @type {number} */ index) => change(withoutItem(sequences, index))}
    />
  `;
}
