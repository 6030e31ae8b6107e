/** The latest of the steps that are shown, as a table: all that the picture has of it. */

import { html } from "../app/html.js";
import { nameOf } from "../text/visible.js";
import { showSum } from "./numbers.js";
import { named, reasonOf } from "./reason.js";
import { shown } from "./state.js";
import { SIGNS } from "./tree_node.js";
import { t } from "./texts.js";

export function StepTable() {
  const { steps } = shown.value;
  const step = steps[steps.length - 1];
  if (step === undefined) return null;
  return html`
    <details class="step-table">
      <summary>${t("as_table", { step: steps.length })}</summary>
      <div class="step-table-frame" tabindex="0" role="group" aria-label=${t("as_table", { step: steps.length })}>
        <table>
          <thead>
            <tr>
              ${["beam", "token", "logprob", "sum", "rank", "fate"].map((name) => html`<th key=${name} scope="col">${t(/** @type {"beam"} */ (name))}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${step.beams.map((beam, number) => beam.candidates.map((one) => html`<${Row} key=${`${number}.${one.token_id}`} number=${number} text=${beam.text} one=${one} step=${steps.length - 1} />`))}
          </tbody>
        </table>
      </div>
    </details>
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
