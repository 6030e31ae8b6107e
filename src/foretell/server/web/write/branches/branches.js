/** The tree "Branches": where each branch left its parent, and with which token; the one that is shown. */

import { signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { html } from "../../app/html.js";
import { showCount } from "../../text/numbers.js";
import { current, show, tree } from "../../state/store.js";
import { isBare } from "../../state/tree.js";
import { BranchTools, NameField } from "./branch_tools.js";
import { remove, renaming } from "./changes.js";
import { Undo } from "./undo.js";
import { labelOf, leaving } from "./labels.js";
import { moveOf, rowsOf } from "./rows.js";
import { OtherTexts } from "./other_texts.js";
import { t } from "./texts.js";

/** Branches whose children are folded away. */
const closed = signal(/** @type {ReadonlySet<string>} */ (new Set()));

/** The branch whose row has the keyboard; the one that is shown, until the reader moves. */
const atHand = signal(/** @type {string | null} */ (null));

export function Branches() {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const rows = rowsOf(tree.value, closed.value);
  const here = Math.max(0, rows.findIndex((row) => row.branch.id === (atHand.value ?? tree.value.current)));
  return html`
    <section class="branches" aria-labelledby="branches-title">
      <h2 id="branches-title">${t("branches")}</h2>
      <ul
        ref=${list}
        role="tree"
        aria-label=${t("branches")}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => byKey(event, rows, here, list.current)}
      >
        ${rows.map((row, index) => html`<${BranchRow} key=${row.branch.id} row=${row} isAtHand=${index === here} />`)}
      </ul>
      ${isBare(tree.value) ? html`<p class="quiet-text">${t("what")}</p>` : html`<${BranchTools} /><p class="unseen">${t("help")}</p>`}
      <${Undo} />
      <${OtherTexts} />
    </section>
  `;
}

/** @param {{ row: import("./rows.js").Row, isAtHand: boolean }} props */
function BranchRow({ row, isAtHand }) {
  const { branch, level, place, num_siblings, num_children, isOpen } = row;
  const isShown = branch.id === tree.value.current;
  const pick = () => {
    atHand.value = branch.id;
    show(branch.id);
  };
  return html`
    <li
      role="treeitem"
      id=${`branch-${branch.id}`}
      class="branch"
      style=${{ "--level": level - 1 }}
      aria-level=${level}
      aria-posinset=${place}
      aria-setsize=${num_siblings}
      aria-expanded=${num_children > 0 ? isOpen : undefined}
      aria-selected=${isShown}
      aria-current=${isShown ? "true" : undefined}
      tabindex=${isAtHand ? 0 : -1}
      onClick=${pick}
      onDblClick=${() => (renaming.value = branch.id)}
      onFocus=${() => (atHand.value = branch.id)}
    >
      ${num_children > 0 && html`<span class="branch-fold" aria-hidden="true" onClick=${(/** @type {Event} */ event) => fold(event, branch.id)}>${isOpen ? "▾" : "▸"}</span>`}
      ${renaming.value === branch.id ? html`<${NameField} branch=${branch} />` : html`<${Label} branch=${branch} />`}
    </li>
  `;
}

/** @param {{ branch: import("../../state/tree.js").Branch }} props */
function Label({ branch }) {
  const num = branch.tokens.length;
  const isEmpty = num === 0 && branch.parent === null;
  return html`
    <span class="branch-label">
      <span class="branch-name" dir="auto">${labelOf(branch)}</span>
      <span class="branch-facts">
        ${branch.parent !== null && html`<span>${leaving(branch)}</span>`}
        <span>${isEmpty ? t("empty") : num === 1 ? t("tokens_one") : t("tokens", { count: showCount(num) })}</span>
      </span>
      ${branch.note !== "" && html`<span class="branch-note" dir="auto">${branch.note}</span>`}
    </span>
  `;
}

/**
 * @param {Event} event
 * @param {string} id
 */
function fold(event, id) {
  event.stopPropagation();
  toggle(id);
}

/** @param {string} id */
function toggle(id) {
  const next = new Set(closed.value);
  if (!next.delete(id)) next.add(id);
  closed.value = next;
}

/**
 * @param {KeyboardEvent} event
 * @param {import("./rows.js").Row[]} rows
 * @param {number} here
 * @param {HTMLElement | null} list
 */
function byKey(event, rows, here, list) {
  if (/** @type {HTMLElement} */ (event.target).closest("input") || event.ctrlKey || event.altKey || event.metaKey) return;
  const { id } = rows[here].branch;
  const move = moveOf(rows, here, event.key);
  if (move === null && !actOn(event.key, id)) return;
  if (move !== null && "toggle" in move) toggle(move.toggle);
  if (move !== null && "index" in move) {
    atHand.value = rows[move.index].branch.id;
    /** @type {HTMLElement | undefined} */ (list?.querySelectorAll("[role=treeitem]")[move.index])?.focus();
  }
  event.preventDefault();
  event.stopPropagation();
}

/**
 * @param {string} key
 * @param {string} id
 * @returns {boolean} whether it is one of the tree's keys
 */
function actOn(key, id) {
  if (key === "Enter" || key === " ") show(id);
  else if (key === "F2") renaming.value = id;
  else if (key === "Delete") remove(id);
  else return false;
  if (key === "Delete") atHand.value = current.value.id;
  return true;
}
