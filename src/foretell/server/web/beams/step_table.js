/** The latest of the steps that are shown, as a table: all that the picture has of it. */

import { useState } from "preact/hooks";
import { html } from "../app/html.js";
import { nameOf } from "../text/visible.js";
import { showSum } from "./numbers.js";
import { named, reasonOf } from "./reason.js";
import { shown } from "./state.js";
import { SIGNS } from "./tree_node.js";
import { t } from "./texts.js";

export function StepTable() {
  const [isOpen, setOpen] = useState(false);
  const { steps } = shown.value;
  const step = steps[steps.length - 1];
  if (step === undefined) return null;
  return html`
    <details class="step-table" open=${isOpen} onToggle=${(/** @type {any} */ event) => setOpen(event.target.open)}>
      <summary>${t("as_table", { step: steps.length })}</summary>
      ${isOpen && html`<${Table} step=${step} number=${steps.length} />`}
    </details>
  `;
}

/** @param {{ step: import("./growth.js").Step, number: number }} props */
function Table({ step, number }) {
  return html`
      <div class="step-table-frame" tabindex="0" role="group" aria-label=${t("as_table", { step: number })}>
        <table>
          <thead>
            <tr>
              ${["beam", "token", "logprob", "sum", "rank", "fate"].map((name) => html`<th key=${name} scope="col">${t(/** @type {"beam"} */ (name))}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${step.beams.map((beam, place) => beam.candidates.map((one) => html`<${Row} key=${`${place}.${one.token_id}`} number=${place} text=${beam.text} one=${one} step=${number - 1} />`))}
          </tbody>
        </table>
      </div>
  `;
}

/** @param {{ number: number, text: string, one: import("./growth.js").Candidate, step: number }} props */
function Row({ number, text, one, step }) {
  return html`
    <tr data-fate=${one.fate}>
      <th scope="row">${number} <bdi>${text}</bdi></th>
      <td><bdi>${nameOf(named(one))}</bdi></td>
      <td>${showSum(one.logprob)}</td>
      <td>${showSum(one.total)}</td>
      <td>${one.rank ?? "·"}</td>
      <td><span aria-hidden="true">${SIGNS[one.fate]}</span> ${t(one.fate)}: ${reasonOf(one, step)}</td>
    </tr>
  `;
}
