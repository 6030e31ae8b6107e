/** What is known of the candidate under the pointer, or in focus. */

import { html } from "../app/html.js";
import { nameOf } from "../text/visible.js";
import { pathTo } from "./layout.js";
import { showSum } from "./numbers.js";
import { named, reasonOf } from "./reason.js";
import { focus, hovered, layout, shown } from "./state.js";
import { t } from "./texts.js";

export function CandidatePanel() {
  const path = pathTo(layout.value, hovered.value ?? focus.value ?? "");
  const place = path[path.length - 1];
  return html`
    <section class="candidate sheet" data-empty=${!place?.candidate} aria-labelledby="candidate-head">
      <h2 id="candidate-head">${t("candidate")}</h2>
      ${place?.candidate ? html`<${Told} place=${place} path=${path} />` : html`<p class="candidate-hint">${t("candidate_hint")}</p>`}
    </section>
  `;
}

/** @param {{ place: import("./layout.js").Place, path: readonly import("./layout.js").Place[] }} props */
function Told({ place, path }) {
  const candidate = /** @type {import("./growth.js").Candidate} */ (place.candidate);
  const count = shown.value.steps[place.step].num_candidates;
  const before = shown.value.steps[place.step].beams[place.beam];
  return html`
    <p class="candidate-text"><bdi>${before.text}<mark>${nameOf(named(candidate))}</mark></bdi></p>
    <p class="candidate-fate" data-fate=${candidate.fate}>
      <strong>${t(candidate.fate)}</strong> <span>${reasonOf(candidate, place.step)}</span>
    </p>
    <dl class="candidate-figures">
      <div><dt>${t("logprob")}</dt><dd>${showSum(candidate.logprob)}</dd></div>
      <div><dt>${t("sum")}</dt><dd>${showSum(before.total)} + ${showSum(candidate.logprob)} = ${showSum(candidate.total)}</dd></div>
      <div><dt>${t("rank")}</dt><dd>${candidate.rank === null ? t("no_rank") : t("rank_of", { rank: candidate.rank, count })}</dd></div>
      <${Score} candidate=${candidate} length=${path.length - 1} />
    </dl>
  `;
}

/** @param {{ candidate: import("./growth.js").Candidate, length: number }} props */
function Score({ candidate, length }) {
  if (candidate.score === null) return null;
  return html`<div><dt>${t("score")}</dt><dd>${showSum(candidate.score)} (${t("length")} ${length})</dd></div>`;
}
