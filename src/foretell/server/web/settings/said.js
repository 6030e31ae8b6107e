/** What is said of settings in the reader's language: by the server in English, by `korean.js` in Korean. */

import { effect, signal } from "@preact/signals";
import { language } from "../app/words.js";

/** @typedef {import("./guide.js").Topic} Topic */

/** @type {import("@preact/signals").Signal<typeof import("./korean.js") | null>} */
const korean = signal(null);

/** Fetches the Korean once somebody reads it. */
export function followLanguage() {
  return effect(() => {
    if (language.value === "ko" && korean.peek() === null) {
      import("./korean.js").then((found) => {
        korean.value = found;
      });
    }
  });
}

const inKorean = () => (language.value === "ko" ? korean.value : null);

/**
 * What a setting means, and what low and high values lead to.
 *
 * @param {Topic} topic
 * @returns {[string, string, string]}
 */
export function saidOf(topic) {
  const found = inKorean()?.SETTINGS[topic.name];
  if (!found) return [topic.meaning, topic.low_effect, topic.high_effect];
  return [found[0], found[1] ?? "", found[2] ?? ""];
}

/** @param {string} name of a group */
export const groupName = (name) => inKorean()?.GROUPS[name] ?? name;

/** @param {string} form which values a setting takes, in words */
export const formName = (form) => inKorean()?.FORMS[form] ?? form;

/** @param {string} clauses what a setting does not go with, or what a dialect makes of it */
export const clausesOf = (clauses) => inKorean()?.clausesInKorean(clauses) ?? clauses;

/** @param {import("./guide.js").Preset} preset */
export function presetSaid(preset) {
  return inKorean()?.PRESETS[preset.name] ?? preset;
}
