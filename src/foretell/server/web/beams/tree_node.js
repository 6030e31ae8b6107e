/** A candidate in the tree: its token, its sum, and by its shape what became of it. */

import { Component } from "preact";
import { html } from "../app/html.js";
import { language } from "../app/words.js";
import { nameOf } from "../text/visible.js";
import { NODE } from "./layout.js";
import { showSum } from "./numbers.js";
import { named, sentenceOf } from "./reason.js";
import { focus, hovered } from "./state.js";
import { t } from "./texts.js";

/** Signs of what became of a candidate; each has its colour and line, too. */
export const SIGNS = { kept: "→", finished: "✓", fell: "×" };

const TOKEN_START = 23;
const DIGIT = 6.4; // pixels of a digit of a sum

/**
 * @typedef {Object} Props
 * @property {import("./layout.js").Place} place
 * @property {boolean} isBest it is on the way to the best finished text
 * @property {boolean} isLooked it is on the way to what is looked at
 * @property {boolean} isTabbed the tab key leads to it
 */

/** @extends {Component<Props>} */
export class TreeNode extends Component {
  /** @param {Props} next */
  shouldComponentUpdate(next) {
    const { place, isBest, isLooked, isTabbed } = this.props;
    const isMoved = next.place.x !== place.x || next.place.y !== place.y;
    const isTold = next.place.candidate !== place.candidate || next.place.count !== place.count;
    const isSpoken = this.spoken !== language.value;
    return isMoved || isTold || isSpoken || next.isBest !== isBest || next.isLooked !== isLooked || next.isTabbed !== isTabbed;
  }

  /** The language in which it was drawn. */
  spoken = language.value;

  render() {
    this.spoken = language.value;
    const { place, isBest, isLooked, isTabbed } = this.props;
    const fate = place.candidate?.fate ?? "kept";
    return html`
      <g
        class="tree-node"
        role="treeitem"
        tabindex=${isTabbed ? 0 : -1}
        aria-label=${sentenceOf(place)}
        aria-level=${place.step + 2}
        aria-setsize=${place.count}
        aria-posinset=${place.number}
        data-place=${place.id}
        data-fate=${fate}
        data-best=${isBest}
        data-looked=${isLooked}
        transform=${`translate(${place.x},${place.y})`}
        onPointerEnter=${() => (hovered.value = place.id)}
        onFocus=${() => (focus.value = place.id)}
        onClick=${(/** @type {any} */ event) => event.currentTarget.focus()}
      >
        <rect width=${NODE.width} height=${NODE.height} rx="5" />
        <${Words} candidate=${place.candidate} fate=${fate} />
      </g>
    `;
  }
}

/** @param {{ candidate: import("./growth.js").Candidate | null, fate: "kept" | "finished" | "fell" }} props */
function Words({ candidate, fate }) {
  if (candidate === null) return html`<text class="tree-token" x=${NODE.width / 2} y="17" text-anchor="middle">${t("prompt")}</text>`;
  const sum = showSum(candidate.total);
  const room = NODE.width - TOKEN_START - DIGIT * sum.length - 12;
  return html`
    <text class="tree-sign" x="8" y="17">${SIGNS[fate]}</text>${" "}
    <svg x=${TOKEN_START} width=${room} height=${NODE.height}><text class="tree-token" y="17">${nameOf(named(candidate))}</text></svg>${" "}
    <text class="tree-sum" x=${NODE.width - 7} y="17" text-anchor="end">${sum}</text>
  `;
}
