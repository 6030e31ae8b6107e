/**
 * A prompt's messages, changed: pure functions.
 *
 * @typedef {import("../../state/tree.js").Prompt} Prompt
 */

/**
 * The prompt as a text or as a conversation: what was written in one stays in it, and begins the
 * other if that is empty.
 *
 * @param {Prompt} prompt
 * @param {"text" | "chat"} mode
 * @returns {Prompt}
 */
export function inMode(prompt, mode) {
  if (mode === "text") return { ...prompt, mode, ids: null };
  const messages = prompt.messages.length > 0 ? prompt.messages : [{ role: "user", content: prompt.text }];
  return { ...prompt, mode, messages, ids: null };
}

/**
 * @param {Prompt} prompt
 * @param {number} index
 * @param {Partial<Prompt["messages"][number]>} changes
 * @returns {Prompt}
 */
export function withMessage(prompt, index, changes) {
  const messages = prompt.messages.map((one, place) => (place === index ? { ...one, ...changes } : one));
  return { ...prompt, messages, ids: null };
}

/**
 * With one more, of whom it is the turn.
 *
 * @param {Prompt} prompt
 * @returns {Prompt}
 */
export function withOneMore(prompt) {
  const role = prompt.messages.at(-1)?.role === "user" ? "assistant" : "user";
  return { ...prompt, messages: [...prompt.messages, { role, content: "" }], ids: null };
}

/**
 * @param {Prompt} prompt
 * @param {number} index
 * @returns {Prompt}
 */
export function withoutMessage(prompt, index) {
  return { ...prompt, messages: prompt.messages.filter((_, place) => place !== index), ids: null };
}

/**
 * With a message moved to another's place.
 *
 * @param {Prompt} prompt
 * @param {number} index
 * @param {number} place
 * @returns {Prompt}
 */
export function withMoved(prompt, index, place) {
  const messages = [...prompt.messages];
  messages.splice(place, 0, ...messages.splice(index, 1));
  return { ...prompt, messages, ids: null };
}
