/** A row a stage of the chain: what it left, and bars for the token and its alternatives. */

import { signal } from "@preact/signals";
import { html } from "../../app/html.js";
import { showCount, showEntropy, showProbability } from "../../text/numbers.js";
import { candidatesOf, isCut, largestOf, stageIndex } from "./candidates.js";
import { t } from "./texts.js";

/** The stage whose odds the alternatives are shown with; null: the last. */
export const picked = signal(/** @type {{ index: number, name: string } | null} */ (null));

/** @param {{ step: import("../../text/token.js").Step }} props */
export function Stages({ step }) {
  const candidates = candidatesOf(step);
  const largest = largestOf(candidates);
  const now = stageIndex(step, picked.value);
  return html`
    <fieldset class="token-stages">
      <legend>${t("stages")}</legend>
      ${step.stages.map((_, index) => html`<${StageRow} key=${index} step=${step} index=${index} isPicked=${index === now} candidates=${candidates} largest=${largest} />`)}
    </fieldset>
  `;
}

/**
 * @param {{ step: import("../../text/token.js").Step, index: number, isPicked: boolean,
 *   candidates: import("../../text/token.js").Candidate[], largest: number }} props
 */
function StageRow({ step, index, isPicked, candidates, largest }) {
  const stage = step.stages[index];
  return html`
    <label class="token-stage">
      <input type="radio" class="unseen" name="stage" checked=${isPicked} onChange=${() => (picked.value = { index, name: stage.name })} />
      <span class="token-stage-name">${stage.name === "raw" ? t("raw") : stage.name} <b>${stage.setting}</b></span>
      <span class="token-stage-bars" aria-hidden="true">
        ${candidates.map((one, place) => html`<${Bar} key=${place} candidate=${one} isChosen=${one === step.chosen} stage=${index} largest=${largest} />`)}
      </span>
      <span class="token-stage-odds">${isCut(step.chosen, index) ? t("cut") : showProbability(step.chosen.probabilities[index])}</span>
      <span class="token-stage-left">
        ${t("left", { number: showCount(stage.num_candidates) })} · ${t("kept", { mass: showProbability(stage.mass) })} ·
        ${" "}${t("entropy_of", { nats: showEntropy(stage.entropy) })}
      </span>
    </label>
  `;
}

/**
 * @param {{ candidate: import("../../text/token.js").Candidate, isChosen: boolean, stage: number,
 *   largest: number }} props
 */
function Bar({ candidate, isChosen, stage, largest }) {
  if (isCut(candidate, stage)) return html`<span class="bar is-cut"></span>`;
  const height = candidate.probabilities[stage] / largest;
  return html`<span class=${`bar${isChosen ? " is-chosen" : ""}`}><i style=${{ transform: `scaleY(${height})` }}></i></span>`;
}
