/** How a token's box in the text is written, and what it is called. */

import { html } from "../../app/html.js";
import { isInvisible, nameOf } from "../../text/visible.js";
import { t } from "./texts.js";

/**
 * A name for a box whose text cannot be read out; undefined where its text is its name.
 *
 * @param {import("../../text/token.js").Box} box
 */
export function labelOf({ text, tokens }) {
  if (text === "") return t("no_text", { id: tokens[0].id });
  if (isInvisible(text)) return nameOf({ text, bytes: [] });
  if (/\S/.test(text)) return undefined;
  const lines = text.split("\n").length - 1;
  if (lines === 0) return t("space");
  return lines === 1 ? t("line_break") : t("line_breaks", { number: lines });
}

/**
 * A text with a sign at the end of each line; the sign is no part of the text.
 *
 * @param {string} text
 */
export function linesOf(text) {
  if (isInvisible(text)) return [html`<i class="no-text"></i>`, text];
  if (!text.includes("\n")) return text;
  const [first, ...others] = text.split("\n");
  return [first || null, ...others.flatMap((line) => [html`<i class="line-end"></i>`, `\n${line}`])];
}
