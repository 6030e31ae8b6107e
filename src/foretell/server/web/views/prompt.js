/** The prompt that is compared, and searched from: that of Write, until the reader writes another. */

import { computed, signal } from "@preact/signals";
import { tree } from "../state/store.js";

/** @typedef {import("../state/tree.js").Prompt} Prompt */

/** The text of a prompt of these views' own; null: that of Write holds. */
export const ownText = signal(/** @type {string | null} */ (null));

/** The prompt in force. */
export const prompt = computed(() =>
  ownText.value === null ? tree.value.prompt : promptOfText(ownText.value),
);

/** Whether there is anything to go on from. */
export const isEmpty = computed(() => isPromptEmpty(prompt.value));

/**
 * @param {string} text
 * @returns {Prompt}
 */
export function promptOfText(text) {
  return { mode: "text", text, messages: [], ids: null };
}

/** @param {Prompt} one */
function isPromptEmpty(one) {
  return one.mode === "chat" ? one.messages.length === 0 : one.text === "";
}

/**
 * The fields of a request that say what is gone on from.
 *
 * @param {Prompt} one
 */
export function promptFields(one) {
  return one.mode === "chat" ? { messages: one.messages } : { prompt: one.text };
}
