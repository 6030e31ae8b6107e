/** Sequences of tokens whose last one gets a bias where the others have just been written. */

import { useEffect } from "preact/hooks";
import { html } from "../../app/html.js";
import { t } from "../texts.js";
import { findNames, idsOf } from "../token_names.js";
import { BAN, asList, readIds, withoutItem } from "../values.js";
import { BiasControl } from "./bias_control.js";
import { ItemList } from "./item_list.js";
import { tokenName } from "./tokens_field.js";

const FIRST_BIAS = 2;

/** @param {import("../fields/controls.js").ControlProps} props */
export function SequenceBiasList({ topic, value, change, ...rest }) {
  /** @type {[number[], any][]} */
  const pairs = asList(value);
  useEffect(() => {
    findNames(pairs.flatMap(([ids]) => ids));
  }, [value]);
  const put = (/** @type {number} */ index, /** @type {any} */ bias) =>
    change(pairs.map((pair, place) => (place === index ? [pair[0], bias === "ban" ? BAN : bias] : pair)));
  const add = async (/** @type {string} */ text) => {
    const ids = readIds(text) ?? (await idsOf(text));
    change([...pairs.filter(([others]) => others.join() !== ids.join()), [ids, FIRST_BIAS]]);
  };
  return html`
    <${ItemList}
      ...${rest}
      name=${topic.name}
      items=${pairs.map(([ids, bias], index) => {
        const text = ids.map(tokenName).join("");
        const control = html`<${BiasControl} token=${text} bias=${bias} change=${(/** @type {any} */ wanted) => put(index, wanted)} />`;
        return { key: ids.join(), text, note: ids.join(" "), more: control };
      })}
      hint=${t("sequence_hint")}
      add=${add}
      remove=${(/** @type {number} */ index) => change(withoutItem(pairs, index))}
    />
  `;
}
