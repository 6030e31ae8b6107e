/** The finished texts that are held, best first, and how their scores come about. */

import { html } from "../app/html.js";
import { endName, t as shared } from "../views/texts.js";
import { takeIntoWrite } from "../views/take.js";
import { pathTo, placeOfHypothesis } from "./layout.js";
import { showPenalty, showScore } from "./numbers.js";
import { asked, focus, hovered, layout, penalty, shown } from "./state.js";
import { t } from "./texts.js";
import { tokensOfPath } from "./tokens.js";

export function Hypotheses() {
  const { hypotheses } = shown.value;
  return html`
    <section class="hypotheses sheet" aria-labelledby="hypotheses-head">
      <h2 id="hypotheses-head">${t("hypotheses")}</h2>
      ${hypotheses.length === 0
        ? html`<p class="candidate-hint">${t("hypotheses_none")}</p>`
        : html`<ol class="hypothesis-list">${hypotheses.map((one, number) => html`<${Hypothesis} key=${one.token_ids.join()} one=${one} number=${number} />`)}</ol>`}
      <${Formula} />
    </section>
  `;
}

/** @param {{ one: import("./growth.js").Hypothesis, number: number }} props */
function Hypothesis({ one, number }) {
  const told = showScore(one, penalty.value);
  const place = placeOfHypothesis(layout.value.places, number);
  const look = () => (focus.value = place?.id ?? focus.value);
  return html`
    <li onPointerEnter=${() => (hovered.value = place?.id ?? null)} onPointerLeave=${() => (hovered.value = null)}>
      <span class="hypothesis-number">${number}</span>
      <button type="button" class="hypothesis-text quiet" dir="auto" onClick=${look}>${one.text || t("no_text")}</button>
      <span class="hypothesis-score">
        ${told.sum} / ${told.length}<sup>${told.penalty}</sup> = <strong>${told.score}</strong>
      </span>
      <span class="hypothesis-end">${t("ends_by", { end: endName(one.stop_reason.kind) })}</span>
      <button type="button" class="hypothesis-take quiet" onClick=${() => take(number)}>${shared("take")}</button>
    </li>
  `;
}

function Formula() {
  const exponent = penalty.value;
  return html`
    <p class="hypothesis-formula"><code>${t("score").toLowerCase()} = ${t("sum")} / ${t("length")}<sup>${showPenalty(exponent)}</sup></code></p>
    <p class="candidate-hint">${t(penaltyName(exponent))}</p>
  `;
}

/** @param {number} exponent */
function penaltyName(exponent) {
  if (exponent < 0) return "penalty_negative";
  if (exponent === 0) return "penalty_0";
  if (exponent === 1) return "penalty_1";
  return exponent < 1 ? "penalty_low" : "penalty_high";
}

/** @param {number} number of a finished text */
function take(number) {
  const request = asked.value;
  const place = placeOfHypothesis(layout.value.places, number);
  if (request === null || place?.candidate == null) return;
  const { stop_reason } = place.candidate;
  const tokens = tokensOfPath(pathTo(layout.value, place.id));
  const finish = { reason: "stop", stop: stop_reason?.value ?? null };
  takeIntoWrite({ prompt: request.prompt, tokens, settings: {}, finish, isRun: false });
}
