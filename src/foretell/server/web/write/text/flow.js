/**
 * The text as it flows, in blocks.
 *
 * Components that read signals are drawn anew only when one of these or a property changes: a block
 * stays the same object while the text grows, so only the last one is.
 */

import { html } from "../../app/html.js";
import { writing } from "../../state/generation.js";
import { current, focus } from "../../state/store.js";
import { paragraphsOf } from "../../text/blocks.js";
import { stepOfAll } from "../../text/shade.js";
import { measure, page } from "./text_state.js";
import { looking } from "./looking.js";
import { labelOf, linesOf } from "./token_label.js";
import { t } from "./texts.js";

export function Flow() {
  const paragraphs = paragraphsOf(page.value.blocks);
  const end = endOf(page.value.tokens);
  return html`
    <div class=${writing.value === null ? "flow" : "flow is-writing"} role="group" aria-label=${t("tokens")} dir="auto" ...${looking}>
      ${paragraphs.map(
        (blocks) => html`
          <div class="paragraph" key=${blocks[0].start}>
            ${blocks.map((block) => html`<${BlockOfText} key=${block.start} block=${block} focus=${focusIn(block)} end=${block.end > end ? end : null} />`)}
          </div>
        `,
      )}
    </div>
  `;
}

/**
 * The number of the token that ended the text, which is none of its text; how many tokens there are
 * where none did.
 *
 * @param {readonly import("../../text/token.js").Token[]} tokens
 */
function endOf(tokens) {
  const stop = current.value.finish?.stop;
  const isToken = stop?.kind === "eos" || stop?.kind === "token";
  return isToken && tokens.at(-1)?.id === stop.value ? tokens.length - 1 : tokens.length;
}

/**
 * The token of a block that is in focus, or can be reached by Tab as none is; null: it is elsewhere.
 *
 * @param {import("../../text/blocks.js").Block} block
 */
function focusIn(block) {
  const index = focus.value ?? -1;
  const isOutside = index < 0 || index >= page.value.tokens.length;
  if (isOutside) return block.start === 0 ? -1 : null;
  return index >= block.start && index < block.end ? index : null;
}

/** @param {{ block: import("../../text/blocks.js").Block, focus: number | null, end: number | null }} props */
function BlockOfText({ block, focus, end }) {
  return html`${block.boxes.map((box) => html`<${TokenBox} key=${box.start} ...${boxProps(box, focus)} isEnd=${box.start === end} />`)}`;
}

/**
 * @param {import("../../text/token.js").Box} box
 * @param {number | null} focus
 */
function boxProps(box, focus) {
  const isFocused = focus !== null && focus >= box.start && focus < box.start + box.tokens.length;
  return { box, isFocused, isFirst: focus === -1 && box.start === 0 };
}

/** @param {{ box: import("../../text/token.js").Box, isFocused: boolean, isFirst: boolean, isEnd: boolean }} props */
function TokenBox({ box, isFocused, isFirst, isEnd }) {
  return html`
    <span
      role="button"
      class=${`token ${signsOf(box)}${isEnd ? " end" : ""}`}
      data-index=${box.start}
      tabindex=${isFocused || isFirst ? 0 : -1}
      aria-current=${isFocused ? "true" : undefined}
      aria-label=${isEnd ? t("end", { text: box.text }) : labelOf(box)}
      >${linesOf(box.text)}</span
    >
  `;
}

/**
 * The classes that show how uncertain a box is, and where its tokens come from.
 *
 * @param {import("../../text/token.js").Box} box
 */
function signsOf({ tokens }) {
  const step = measure.value === "none" ? null : stepOfAll(tokens, measure.value);
  const shade = step === null ? "" : `step-${step}`;
  const own = tokens.find((token) => token.origin !== "generated");
  return own ? `${shade} ${own.origin}` : shade;
}
