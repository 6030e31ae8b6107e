/** The next token, not yet decided on: its distribution, from which the reader or the draw chooses. */

import { useRef } from "preact/hooks";
import { html } from "../../app/html.js";
import { isAsking, leaveStepping, pending } from "../../state/stepping.js";
import { showCount, showProbability } from "../../text/numbers.js";
import { nameOf } from "../../text/visible.js";
import { chooseReporting, stepReporting } from "./reporting.js";
import { t } from "./texts.js";

export function NextToken() {
  const byDraw = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const last = useRef(pending.value);
  last.current = pending.value ?? (isAsking.value ? last.current : null); // stays in place until the next one comes
  const found = last.current;
  if (found === null) return isAsking.value ? html`<p class="quiet-text">${t("asking")}</p>` : null;
  const step = /** @type {import("../../text/token.js").Step} */ (found.token.step);
  const isDrawn = step.draw !== null;
  const candidates = showCount(step.stages[step.stages.length - 1].num_candidates);
  return html`
    <section class="next sheet" aria-labelledby="next-title" aria-busy=${isAsking.value}>
      <h2 id="next-title">${t("next")}</h2>
      <p class="quiet-text">${isDrawn ? t("step_help", { candidates }) : t("step_help_greedy")}</p>
      <ol class="choices" aria-label=${t("choices")}>
        ${ranked(step).map((one) => html`<${Choice} key=${one.token_id} candidate=${one} isDrawn=${one === step.chosen} mark=${isDrawn ? "drawn" : "picked"} next=${byDraw} />`)}
      </ol>
      <div class="actions">
        <button ref=${byDraw} type="button" class="main" aria-disabled=${isAsking.value} onClick=${() => isAsking.value || stepReporting()}>
          ${t(isDrawn ? "by_draw" : "by_rule")}
        </button>
        <button type="button" class="quiet" onClick=${leaveStepping}>${t("leave")}</button>
      </div>
    </section>
  `;
}

/**
 * The candidates that are left after all stages, the likeliest first; ruled out ones stand last.
 *
 * @param {import("../../text/token.js").Step} step
 */
export function ranked(step) {
  const all = [step.chosen, ...step.runners_up];
  return all.sort((one, other) => finalOf(other) - finalOf(one) || one.rank - other.rank);
}

/** @param {import("../../text/token.js").Candidate} candidate */
function finalOf({ probabilities }) {
  return probabilities[probabilities.length - 1];
}

/**
 * @param {{ candidate: import("../../text/token.js").Candidate, isDrawn: boolean, mark: "drawn" | "picked",
 *   next: { current: HTMLElement | null } }} props next: what has the keyboard once it is chosen
 */
function Choice({ candidate, isDrawn, mark, next }) {
  const probability = showProbability(finalOf(candidate));
  const isOut = finalOf(candidate) === 0;
  const choose = () => {
    if (isAsking.value) return;
    next.current?.focus();
    chooseReporting(candidate);
  };
  return html`
    <li>
      <button type="button" class="choice" data-out=${isOut} aria-disabled=${isAsking.value} onClick=${choose}>
        <span class="choice-bar" aria-hidden="true" style=${{ inlineSize: `${finalOf(candidate) * 100}%` }}></span>
        <span class="choice-token" dir="auto">${nameOf({ text: candidate.token, bytes: candidate.bytes })}</span>
        ${isDrawn && html`<span class="choice-mark">${t(mark)}</span>`}
        <span class="choice-share">${probability}</span>
      </button>
    </li>
  `;
}
