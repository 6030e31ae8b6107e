/** What trees are called in lists: how their prompts begin. Pure. */

const LONGEST = 60;

/** @param {{ prompt: import("./tree.js").Prompt }} tree "" where it has no prompt */
export function titleOf({ prompt }) {
  const last = prompt.messages.findLast((one) => one.role === "user") ?? prompt.messages.at(-1);
  const text = prompt.mode === "chat" ? (last?.content ?? "") : prompt.text;
  const line = text.replace(/\s+/g, " ").trim();
  const characters = [...line];
  return characters.length > LONGEST ? `${characters.slice(0, LONGEST).join("")}…` : line;
}
