/** Tokens whose logits are added to, or which are banned. */

import { useEffect } from "preact/hooks";
import { html } from "../../app/html.js";
import { t } from "../texts.js";
import { findNames, idsOf } from "../token_names.js";
import { biasesOf, inLine, readIds, withBias } from "../values.js";
import { BiasControl } from "./bias_control.js";
import { ItemList } from "./item_list.js";
import { tokenName } from "./tokens_field.js";

/** A bias that is felt and not overwhelming: what a token gets first. */
const FIRST_BIAS = 2;

/** @param {import("../fields/controls.js").ControlProps} props */
export function BiasList({ topic, value, change, ...rest }) {
  /** @type {[string, any][]} */
  const biases = Object.entries(biasesOf(value));
  const ids = biases.map(([key]) => key).filter(isId);
  useEffect(() => {
    findNames(ids.map(Number));
  }, [value]);
  const put = (/** @type {string} */ key, /** @type {any} */ bias) => change(withBias({ logit_bias: value }, key, bias).logit_bias);
  const add = async (/** @type {string} */ text) => {
    const found = readIds(text) ?? (await idsOf(text));
    change({ ...biasesOf(value), ...Object.fromEntries(found.map((id) => [id, FIRST_BIAS])) });
  };
  return html`
    <${ItemList}
      ...${rest}
      name=${topic.name}
      items=${biases.map(([key, bias]) => {
        const token = isId(key) ? tokenName(Number(key)) : inLine(key);
        const control = html`<${BiasControl} token=${token} bias=${bias} change=${(/** @type {any} */ wanted) => put(key, wanted)} />`;
        return { key, text: token, note: isId(key) ? key : undefined, more: control };
      })}
      hint=${t("ids_hint")}
      add=${add}
      remove=${(/** @type {number} */ index) => put(biases[index][0], null)}
    />
  `;
}

/** @param {string} key of a bias: digits are an id, all else is a text */
const isId = (key) => /^\d+$/.test(key);
