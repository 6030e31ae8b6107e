/** The text as a table: the same as the shading tells, in figures. */

import { html } from "../../app/html.js";
import { focus } from "../../state/store.js";
import { figuresOf } from "../../text/figures.js";
import { TokenName } from "../token/token_name.js";
import { looking } from "./looking.js";
import { page } from "./text_state.js";
import { t } from "./texts.js";

const COLUMNS = /** @type {const} */ (["number", "token", "probability", "rank", "surprisal", "entropy", "origin"]);

export function TokenTable() {
  const { blocks, tokens } = page.value;
  if (tokens.length === 0) return null;
  return html`
    <div class="token-table" tabindex="0" role="group" aria-label=${t("table")} ...${looking}>
      <table>
        <caption class="unseen">${t("table")}</caption>
        <thead>
          <tr>
            ${COLUMNS.map((one) => html`<th key=${one} scope="col">${t(one)}</th>`)}
          </tr>
        </thead>
        ${blocks.map((block) => html`<${Rows} key=${block.start} block=${block} focus=${focusIn(block)} />`)}
      </table>
    </div>
  `;
}

/** @param {import("../../text/blocks.js").Block} block */
function focusIn(block) {
  const index = focus.value;
  return index !== null && index >= block.start && index < block.end ? index : null;
}

/** @param {{ block: import("../../text/blocks.js").Block, focus: number | null }} props */
function Rows({ block, focus }) {
  const tokens = block.boxes.flatMap((box) => box.tokens);
  return html`
    <tbody>
      ${tokens.map((token, index) => html`<${Row} key=${index} index=${block.start + index} token=${token} isFocused=${focus === block.start + index} />`)}
    </tbody>
  `;
}

/** @param {{ index: number, token: import("../../text/token.js").Token, isFocused: boolean }} props */
function Row({ index, token, isFocused }) {
  const figures = figuresOf(token);
  return html`
    <tr class=${isFocused ? "is-focused" : ""}>
      <td>${index + 1}</td>
      <th scope="row">
        <button type="button" data-index=${index} aria-current=${isFocused ? "true" : undefined}><${TokenName} token=${token} /></button>
      </th>
      <td>${figures.probability}</td>
      <td>${figures.rank}</td>
      <td>${figures.surprisal}</td>
      <td>${figures.entropy}</td>
      <td>${t(token.origin)}</td>
    </tr>
  `;
}
