/** Two branches side by side, with the first token in which they differ marked. */

import { computed, signal } from "@preact/signals";
import { html } from "../../app/html.js";
import { tree } from "../../state/store.js";
import { branchOf, firstDifferenceOf, hasBranch, tokensOfBranch } from "../../state/tree.js";
import { showCount, showProbability } from "../../text/numbers.js";
import { nameOf } from "../../text/visible.js";
import { labelOf } from "../branches/labels.js";
import { partsAt } from "./parts.js";
import { t } from "./texts.js";

const isOpen = signal(false);

/** What the reader chose for each side; null: the branch that is shown, and one that is near it. */
const chosen = signal(/** @type {{ one: string | null, other: string | null }} */ ({ one: null, other: null }));

const sides = computed(() => {
  const from = tree.value;
  const known = (/** @type {string | null} */ id) => (id !== null && hasBranch(from, id) ? id : null);
  const one = known(chosen.value.one) ?? from.current;
  const other = known(chosen.value.other) ?? neighbour(from, one);
  return { one, other, tokens: { one: tokensOfBranch(from, one), other: tokensOfBranch(from, other) } };
});

/**
 * The branch to set beside one: its parent, or the last that leaves it.
 *
 * @param {import("../../state/tree.js").Tree} from
 * @param {string} id
 */
function neighbour(from, id) {
  const last = from.branches.findLast((branch) => branch.parent === id) ?? from.branches.at(-1);
  return branchOf(from, id).parent ?? last?.id ?? id;
}

export function Beside() {
  if (tree.value.branches.length < 2) return null;
  return html`
    <details class="beside" open=${isOpen.value} onToggle=${(/** @type {any} */ event) => (isOpen.value = event.currentTarget.open)}>
      <summary>${t("title")}</summary>
      ${isOpen.value && html`<${Sides} />`}
    </details>
  `;
}

function Sides() {
  const { one, other, tokens } = sides.value;
  const position = firstDifferenceOf(tokens.one, tokens.other);
  return html`
    <p class="beside-told" role="status">${toldDifference(position, tokens.one.length, tokens.other.length)}</p>
    <div class="beside-sides">
      <${Side} side="one" id=${one} tokens=${tokens.one} position=${position} />
      <${Side} side="other" id=${other} tokens=${tokens.other} position=${position} />
    </div>
  `;
}

/**
 * @param {number} position
 * @param {number} one
 * @param {number} other
 */
function toldDifference(position, one, other) {
  if (position === one && position === other) return t("same", { count: showCount(one) });
  const values = { position: showCount(position + 1) };
  return t(position === one || position === other ? "prefix" : "differ", values);
}

/**
 * @param {{ side: "one" | "other", id: string, tokens: import("../../text/token.js").Token[], position: number }} props
 */
function Side({ side, id, tokens, position }) {
  const { before, at, after } = partsAt(tokens, position);
  /** @param {any} event */
  const change = (event) => {
    chosen.value = { one: sides.value.one, other: sides.value.other, [side]: event.target.value };
  };
  return html`
    <div class="beside-side sheet">
      <label class="beside-choice">
        <span>${t(side)}</span>
        <select value=${id} onChange=${change}>
          ${tree.value.branches.map((branch) => html`<option key=${branch.id} value=${branch.id}>${labelOf(branch)}</option>`)}
        </select>
      </label>
      <p class="beside-text" dir="auto">
        <span class="beside-before">${before}</span>
        ${at.length > 0 && html`<mark title=${t("first")}><span class="unseen">${t("first")}: </span>${at.map(({ text }) => seen(text)).join("")}</mark>`}
        <span>${after}</span>
        ${at.length === 0 && html`<span class="beside-end">${t("ends")}</span>`}
      </p>
      ${at.length > 0 && html`<${Facts} token=${tokens[position]} />`}
    </div>
  `;
}

/** @param {string} text what is marked must be seen, also where it is space alone */
function seen(text) {
  return text.trim() === "" ? nameOf({ text, bytes: [] }) + text.replaceAll(" ", "") : text;
}

/** @param {{ token: import("../../text/token.js").Token }} props */
function Facts({ token }) {
  const share = token.logprob === null ? "" : showProbability(Math.exp(token.logprob));
  return html`<p class="quiet-text"><bdi>“${nameOf(token)}”</bdi> ${share}</p>`;
}
