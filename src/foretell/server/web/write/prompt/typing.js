/** What the boxes of a prompt have alike. */

import { generateReporting } from "./reporting.js";

/** @param {KeyboardEvent} event Ctrl or Cmd with Enter generates */
export function generateOnEnter(event) {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  generateReporting();
}

/** @param {string} text how many rows its box has */
export function rowsOf(text) {
  return Math.min(12, Math.max(2, text.split("\n").length, Math.ceil(text.length / 80)));
}

