/** A token's text where it stands alone: spaces and line ends have signs, and names to be read out. */

import { html } from "../../app/html.js";
import { MARKS, piecesOf } from "../../text/visible.js";
import { t } from "../text/texts.js";

/** @param {{ token: { text: string, bytes: number[], id?: number, token_id?: number } }} props */
export function TokenName({ token }) {
  const pieces = piecesOf(token);
  const isSpace = pieces.every(({ kind }) => kind in MARKS);
  if (pieces.length === 0) return html`<span class="token-name"><i>${t("no_text", { id: token.id ?? token.token_id ?? "" })}</i></span>`;
  return html`<bdi class="token-name">${pieces.map((piece) => shown(piece, isSpace))}</bdi>`;
}

/**
 * @param {import("../../text/visible.js").Piece} piece
 * @param {boolean} isSpace there is nothing but space in the token
 */
function shown({ kind, text }, isSpace) {
  const mark = MARKS[kind];
  if (mark === undefined) return kind === "text" ? text : html`<i>${text}</i>`;
  const name = kind === "space" ? t("space") : kind === "tab" ? t("tab") : t("line_break");
  return html`<i aria-hidden="true">${mark}</i>${isSpace || kind === "newline" ? html`<span class="unseen">${name} </span>` : ""}`;
}
