/** The view "Beams": a beam search as it goes on, and why each candidate was kept or not. */

import { html } from "../app/html.js";
import { PromptField } from "../views/prompt_field.js";
import { CandidatePanel } from "./candidate_panel.js";
import { Hypotheses } from "./hypotheses.js";
import { Scrubber } from "./scrubber.js";
import { SearchForm } from "./search_form.js";
import { asked, isRunning, problem, shown, whole } from "./state.js";
import { StepTable } from "./step_table.js";
import { t } from "./texts.js";
import { TreePicture } from "./tree_picture.js";

export function BeamsView() {
  return html`
    <div class="beams" data-ended=${whole.value !== null && !isRunning.value}>
      <h1 class="unseen">${t("title")}</h1>
      <div class="view-head">
        <p class="view-intro">${t("intro")}</p>
        <${PromptField} />
        <${SearchForm} />
        ${problem.value && html`<p class="view-problem" role="alert">${problem.value}</p>`}
      </div>
      ${asked.value === null ? html`<p class="beams-empty sheet">${t("empty")}</p>` : html`<${Found} />`}
    </div>
  `;
}

function Found() {
  return html`
    <div class="beams-found">
      <div class="beams-tree">
        <${Scrubber} />
        <${TreePicture} />
        <${Ending} />
        <${StepTable} />
      </div>
      <div class="beams-side">
        <${CandidatePanel} />
        <${Hypotheses} />
      </div>
    </div>
  `;
}

function Ending() {
  const { end, hypotheses } = shown.value;
  const warnings = whole.value?.warnings ?? [];
  return html`
    <p class="beams-end" role="status">${end === null ? (isRunning.value ? t("searching") : "") : t(`end_${end}`, { count: hypotheses.length })}</p>
    ${warnings.map((/** @type {string} */ one) => html`<p key=${one} class="column-warning">${one}</p>`)}
  `;
}
