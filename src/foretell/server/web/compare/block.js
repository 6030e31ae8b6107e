/** A stretch of a text, drawn anew only when something in it has changed. */

import { Component } from "preact";
import { html } from "../app/html.js";
import { showProbability } from "../text/numbers.js";
import { stepOfAll } from "../text/shade.js";
import { t } from "./texts.js";

/**
 * @typedef {Object} Props
 * @property {import("../text/blocks.js").Block} block
 * @property {number | null} mark the box before which the text parts from another
 * @property {number | null} at the box that is looked at
 * @property {string} base the letter of the column that it parts from
 */

/** @extends {Component<Props>} */
export class Block extends Component {
  /** @param {Props} next */
  shouldComponentUpdate(next) {
    const { block, mark, at, base } = this.props;
    return next.block !== block || next.mark !== mark || next.at !== at || next.base !== base;
  }

  render() {
    const { block, mark, at, base } = this.props;
    return block.boxes.map((box) => [
      box.start === mark && html`<${Parting} key="parting" base=${base} position=${mark + 1} />`,
      html`<span key=${box.start} data-index=${box.start} data-at=${box.start === at} class=${classOf(box)} title=${titleOf(box)}>${box.text}</span>`,
    ]);
  }
}

/** @param {{ base: string, position: number }} props */
function Parting({ base, position }) {
  return html`
    <span class="parting" title=${t("parts", { base, position })}>
      <span class="unseen"> (${t("parts", { base, position })}) </span>
      <span aria-hidden="true">${t("parts_short", { base })}</span>
    </span>
  `;
}

/** @param {import("../text/token.js").Box} box */
function classOf(box) {
  const step = stepOfAll(box.tokens, "probability");
  return step ? `token step-${step}` : "token";
}

/** @param {import("../text/token.js").Box} box */
function titleOf(box) {
  const told = box.tokens.map(({ logprob }) => (logprob === null ? "–" : showProbability(Math.exp(logprob))));
  return told.join(" · ");
}
