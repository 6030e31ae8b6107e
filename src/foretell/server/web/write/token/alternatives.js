/** The list "Alternatives": the token and what could have stood in its place. A button forks there. */

import { saidOfError } from "../../app/error_words.js";
import { html } from "../../app/html.js";
import { tell } from "../../app/notices.js";
import { showCount, showProbability } from "../../text/numbers.js";
import { Bias } from "./bias.js";
import { candidatesOf, isCut, largestOf, othersOf, stageIndex } from "./candidates.js";
import { picked } from "./stages.js";
import { removerOf, showStage } from "./stage_names.js";
import { takeAlternative } from "./take_alternative.js";
import { TokenName } from "./token_name.js";
import { t } from "./texts.js";

/** @typedef {import("../../text/token.js").Candidate} Candidate */
/** @typedef {import("../../text/token.js").Step} Step */

/** @param {{ step: Step, index: number, setBias?: import("./bias.js").SetBias }} props `index` of the token in the text */
export function Alternatives({ step, index, setBias }) {
  const stage = stageIndex(step, picked.value);
  const candidates = candidatesOf(step);
  const largest = largestOf(candidates);
  return html`
    <div class="alternatives">
      <h3 id="alternatives-name">${t("alternatives")}</h3>
      <p class="alternatives-stage">${stage === 0 ? t("odds_raw") : t("odds_at", { stage: showStage(step.stages[stage]) })}</p>
      <ul aria-labelledby="alternatives-name">
        ${candidates.map((one, place) => html`<${Item} key=${place} step=${step} candidate=${one} stage=${stage} largest=${largest} index=${index} setBias=${setBias} />`)}
      </ul>
      <${Others} step=${step} stage=${stage} />
    </div>
  `;
}

/**
 * @param {{ step: Step, candidate: Candidate, stage: number, largest: number, index: number,
 *   setBias?: import("./bias.js").SetBias }} props
 */
function Item({ step, candidate, stage, largest, index, setBias }) {
  const isChosen = candidate === step.chosen;
  const content = html`<${Content} step=${step} candidate=${candidate} stage=${stage} largest=${largest} isChosen=${isChosen} />`;
  return html`
    <li class=${isChosen ? "is-chosen" : ""} aria-current=${isChosen ? "true" : undefined}>
      ${isChosen
        ? html`<div class="alternative">${content}</div>`
        : html`<button type="button" class="alternative take" title=${t("take")} onClick=${() => take(index, candidate)}>${content}</button>`}
      ${setBias && html`<${Bias} key=${candidate.token_id} candidate=${candidate} setBias=${setBias} />`}
    </li>
  `;
}

/** @param {{ step: Step, candidate: Candidate, stage: number, largest: number, isChosen: boolean }} props */
function Content({ step, candidate, stage, largest, isChosen }) {
  const remover = isCut(candidate, stage) ? removerOf(step, candidate) : null;
  return html`
    <span class="alternative-rank">${isChosen ? html`<span aria-hidden="true">✓</span><span class="unseen">${t("is_chosen")}</span>` : showCount(candidate.rank)}</span>
    <span class="alternative-name"><${TokenName} token=${{ text: candidate.token, bytes: candidate.bytes, id: candidate.token_id }} /></span>
    ${isCut(candidate, stage)
      ? html`<span class="alternative-cut">${remover === null ? t("cut") : t("cut_by", { stage: remover.name })}</span>`
      : html`
          <span class="alternative-bar" aria-hidden="true"><i style=${{ transform: `scaleX(${candidate.probabilities[stage] / largest})` }}></i></span>
          <span class="alternative-odds">${showProbability(candidate.probabilities[stage])}</span>
        `}
  `;
}

/** @param {{ step: Step, stage: number }} props */
function Others({ step, stage }) {
  const { number, mass } = othersOf(step, stage);
  if (number <= 0) return null;
  return html`<p class="alternatives-others">${t("others", { number: showCount(number), mass: showProbability(mass) })}</p>`;
}

/**
 * @param {number} index
 * @param {Candidate} candidate
 */
function take(index, candidate) {
  takeAlternative(index, candidate).catch((error) => tell("error", saidOfError(error)));
}
