/** Texts of the interface, in English and Korean. Each folder keeps its own in a `texts.js`. */

import { signal } from "@preact/signals";
import { recall } from "../state/kept.js";

/** @typedef {"en" | "ko"} Language */

/** @type {readonly Language[]} */
export const LANGUAGES = ["en", "ko"];

export const language = signal(firstLanguage());

/** @returns {Language} the reader's choice, or what the browser prefers */
function firstLanguage() {
  const kept = LANGUAGES.find((one) => one === recall("language"));
  if (kept) return kept;
  const wanted = globalThis.navigator?.languages ?? [];
  const found = wanted.find((one) => one.startsWith("ko") || one.startsWith("en"));
  return found?.startsWith("ko") ? "ko" : "en";
}

/**
 * A function from a text's name to the text in the reader's language. `{name}` in a text is
 * replaced by the value of that name.
 *
 * @template {Record<string, string>} Texts
 * @param {{ en: Texts, ko: Record<keyof Texts, string> }} texts
 * @returns {(name: keyof Texts, values?: Record<string, string | number>) => string}
 */
export function words(texts) {
  return (name, values = {}) =>
    texts[language.value][name].replace(/\{(\w+)\}/g, (whole, key) =>
      key in values ? String(values[key]) : whole,
    );
}
