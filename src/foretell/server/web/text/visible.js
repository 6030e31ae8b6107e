/**
 * Tokens' names where they stand alone: what would not be seen, or would move its neighbours, is made
 * visible. Pure functions.
 *
 * @typedef {"text" | "space" | "newline" | "tab" | "escape" | "bytes"} PieceKind
 * @typedef {{ kind: PieceKind, text: string }} Piece
 */

/** What is invisible, or changes the direction of what follows. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\u3000\u00a0]/u;

/** Joins characters to one sign, as in families of emoji. */
const JOINERS = new Set(["\u200c", "\u200d", "\ufe0f"]);

/**
 * The pieces of a token's name.
 *
 * @param {{ text: string, bytes: number[] }} token
 * @returns {Piece[]}
 */
export function piecesOf(token) {
  if (!isWhole(token.bytes)) return [{ kind: "bytes", text: showBytes(token.bytes) }];
  const characters = [...token.text];
  /** @type {Piece[]} */
  const pieces = [];
  characters.forEach((one, index) => {
    const kind = kindOf(one, !isText(characters[index - 1]) || !isText(characters[index + 1]));
    const last = pieces.at(-1);
    if (kind === "text" && last?.kind === "text") last.text += one;
    else pieces.push({ kind, text: kind === "escape" ? escaped(one) : one });
  });
  return pieces;
}

/** @param {readonly number[]} bytes whether they are whole characters */
function isWhole(bytes) {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes));
    return true;
  } catch {
    return false;
  }
}

/**
 * A token's name in a line of plain text, as in a chart's description.
 *
 * @param {{ text: string, bytes: number[] }} token
 */
export function nameOf(token) {
  return piecesOf(token)
    .map(({ kind, text }) => MARKS[kind] ?? text)
    .join("");
}

/** Signs for what is not seen. @type {Partial<Record<PieceKind, string>>} */
export const MARKS = { space: "␣", newline: "↵", tab: "⇥" };

/** @param {string | undefined} one a character, if there is one: whether it can be seen */
function isText(one) {
  return one !== undefined && /\S/.test(one);
}

/**
 * @param {string} one a character
 * @param {boolean} isEdge it stands where a space would not be seen
 * @returns {PieceKind}
 */
function kindOf(one, isEdge) {
  if (one === " ") return isEdge ? "space" : "text";
  if (one === "\n") return "newline";
  if (one === "\t") return "tab";
  return HIDDEN.test(one) && !JOINERS.has(one) ? "escape" : "text";
}

/** @param {string} one a character */
function escaped(one) {
  const code = /** @type {number} */ (one.codePointAt(0));
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/**
 * Whether a text, were it to stand alone, would not be seen; spaces and line ends are seen otherwise.
 *
 * @param {string} text
 */
export function isInvisible(text) {
  return [...text].every((one) => !/[ \n\t]/.test(one) && HIDDEN.test(one));
}

/** @param {readonly number[]} bytes in hexadecimal */
export function showBytes(bytes) {
  return bytes.map((byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");
}
