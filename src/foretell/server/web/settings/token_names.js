/** What token ids are, for people: remembered where it was told, asked for where it was not. */

import { signal } from "@preact/signals";
import { json } from "../api/http.js";

/** Texts by token id. */
export const tokenNames = signal(/** @type {Record<number, string>} */ ({}));

/**
 * @param {number} id
 * @param {string} text
 */
export function rememberToken(id, text) {
  if (tokenNames.value[id] !== text) tokenNames.value = { ...tokenNames.value, [id]: text };
}

/** @type {Set<number>} */
const asked = new Set();

/**
 * Ask the server what these tokens are, each once. A part of a character has no text of its own.
 *
 * @param {readonly number[]} ids
 */
export async function findNames(ids) {
  const unknown = ids.filter((id) => !(id in tokenNames.value) && !asked.has(id));
  unknown.forEach((id) => asked.add(id));
  for (const id of unknown) {
    try {
      const { prompt } = await json("detokenize", { tokens: [id], skip_special_tokens: false });
      rememberToken(id, prompt);
    } catch {
      asked.delete(id); // the field that has the id says what is wrong with it
    }
  }
}

/**
 * The ids of a text that stands by itself.
 *
 * @param {string} text
 * @returns {Promise<number[]>}
 */
export async function idsOf(text) {
  const { tokens } = await json("tokenize", { prompt: text, add_special_tokens: false });
  return tokens;
}
