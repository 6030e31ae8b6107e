/**
 * Values of settings, as requests have them: pure functions.
 *
 * @typedef {Record<string, any>} Settings
 */

import { nameOf } from "../text/visible.js";

/** What stands for a bias of minus infinity. */
export const BAN = "-inf";

/**
 * Settings with one of them set, or taken back.
 *
 * @param {Settings} settings
 * @param {string} name
 * @param {any} value undefined, null and what is empty: it is not set
 * @returns {Settings}
 */
export function withSetting(settings, name, value) {
  const { [name]: _, ...others } = settings;
  return isEmpty(value) ? others : { ...settings, [name]: value };
}

/** @param {any} value */
function isEmpty(value) {
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/**
 * Biases by token. The server tells them as pairs, so that settings that came from it have them so.
 *
 * @param {any} value of `logit_bias`
 * @returns {Record<string, any>}
 */
export function biasesOf(value) {
  return Array.isArray(value) ? Object.fromEntries(value) : { ...value };
}

/**
 * Settings with a bias of a token; the other biases stay.
 *
 * @param {Settings} settings
 * @param {string | number} token an id, or a text
 * @param {number | "ban" | null} bias null: none any more
 * @returns {Settings}
 */
export function withBias(settings, token, bias) {
  const { [token]: _, ...others } = biasesOf(settings.logit_bias);
  const wanted = bias === "ban" ? BAN : bias;
  return withSetting(settings, "logit_bias", bias === null ? others : { ...others, [token]: wanted });
}

/**
 * The texts of a list without one of them, or with one more at the end; each stands once.
 *
 * @template T
 * @param {readonly T[] | undefined} list
 * @param {T} item
 * @returns {T[]}
 */
export function withItem(list, item) {
  const same = JSON.stringify(item);
  return [...(list ?? []).filter((one) => JSON.stringify(one) !== same), item];
}

/**
 * @template T
 * @param {readonly T[] | undefined} list
 * @param {number} index
 * @returns {T[]}
 */
export function withoutItem(list, index) {
  return (list ?? []).filter((_, place) => place !== index);
}

/**
 * A value as a list: requests may have one in place of a list of one.
 *
 * @param {any} value
 * @returns {any[]}
 */
export function asList(value) {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

/** @param {string} text typed: `\n`, `\t` and `\\` stand for what cannot be typed in a line */
export function unescaped(text) {
  /** @type {Record<string, string>} */
  const meant = { "\\n": "\n", "\\t": "\t", "\\\\": "\\" };
  return text.replace(/\\[nt\\]/g, (found) => meant[found]);
}

/** @param {string} text in a line, so that spaces at its ends and breaks can be seen */
export function inLine(text) {
  return nameOf({ text, bytes: [] });
}

/**
 * The ids in a text of digits, spaces and commas; null: it is something else.
 *
 * @param {string} text
 * @returns {number[] | null}
 */
export function readIds(text) {
  const found = text.trim().split(/[\s,]+/);
  return found.every((one) => /^\d{1,10}$/.test(one)) ? found.map(Number) : null;
}

/**
 * The JSON object that a text has, or what is wrong with it.
 *
 * @param {string} text blank: none (undefined)
 * @returns {{ found: Record<string, any> | null | undefined, message: string }} found: null if there is none to be read
 */
export function readObject(text) {
  if (text.trim() === "") return { found: undefined, message: "" };
  try {
    const found = JSON.parse(text);
    const isObject = typeof found === "object" && found !== null && !Array.isArray(found);
    return isObject ? { found, message: "" } : { found: null, message: text.trim().slice(0, SHORT) };
  } catch (error) {
    return { found: null, message: /** @type {Error} */ (error).message };
  }
}

/**
 * A JSON object as it is edited. Requests may have it as a text.
 *
 * @param {any} value
 * @returns {string}
 */
export function showObject(value) {
  const found = typeof value === "string" ? readObject(value).found : value;
  if (found === undefined || found === null) return value ?? "";
  return JSON.stringify(found, null, 2);
}

/** Characters of a value that are shown in a few words. */
const SHORT = 32;

/**
 * A value in a few words: for what a preset sets, and beside stages.
 *
 * @param {any} value
 * @returns {string}
 */
export function showValue(value) {
  if (Array.isArray(value)) return value.length > 3 ? `${value.length} ×` : shortened(value.map(showValue).join(", "));
  if (value === null || typeof value !== "object") return shortened(String(value));
  const isBiases = Object.values(value).every((one) => typeof one === "number" || one === BAN);
  return isBiases ? `${Object.keys(value).length} ×` : shortened(JSON.stringify(value));
}

/** @param {string} text in a line, its end left out where it is long */
function shortened(text) {
  const line = text.replace(/\s+/g, " ");
  return line.length > SHORT ? `${line.slice(0, SHORT - 1)}…` : line;
}
