/** Which control fits which setting. */

import { ChoiceField, isFew } from "./choice_field.js";
import { NumberField } from "./number_field.js";
import { RareField } from "./rare_field.js";

/**
 * What every control is given.
 *
 * @typedef {Object} ControlProps
 * @property {import("../guide.js").Topic} topic
 * @property {any} value undefined: it is not set
 * @property {import("../field.js").Filled | null} filled
 * @property {(value: any) => void} change
 * @property {string} id of the control's own elements, as a beginning
 * @property {string} labelled the id of what names it
 * @property {string} described the ids of what describes it
 * @property {boolean} isWrong
 */

/** By how a value is written. @type {Record<string, import("preact").FunctionComponent<any>>} */
const COMMON = {
  integer: NumberField,
  number: NumberField,
  flag: ChoiceField,
  choice: ChoiceField,
  early_stopping: ChoiceField,
};

/** @param {import("../guide.js").Topic} topic */
export function controlOf(topic) {
  return isFew(topic) ? ChoiceField : (COMMON[topic.notation] ?? RareField);
}

/**
 * Whether a control stands in the line of the setting's name, and not below it.
 *
 * @param {import("../guide.js").Topic} topic
 */
export function isInLine(topic) {
  return controlOf(topic) === NumberField;
}
