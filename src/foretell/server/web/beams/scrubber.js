/** Which step is shown: a slider, and playing the search again. */

import { useEffect, useState } from "preact/hooks";
import { html } from "../app/html.js";
import { isRunning, numSteps, shown, shownSteps, wanted } from "./state.js";
import { t } from "./texts.js";

/** Milliseconds for which each step is shown. */
const PACE = 900;

export function Scrubber() {
  const [isPlaying, setPlaying] = useState(false);
  const count = numSteps.value;
  useEffect(() => (isPlaying ? play(() => setPlaying(false)) : undefined), [isPlaying]);
  const toggle = () => {
    if (!isPlaying && shownSteps.value === count) wanted.value = 0;
    setPlaying(!isPlaying);
  };
  const go = (/** @type {number} */ step) => {
    setPlaying(false);
    show(step);
  };
  return html`
    <div class="scrubber">
      <button type="button" aria-label=${t("previous")} title=${t("previous")} disabled=${shownSteps.value === 0} onClick=${() => go(shownSteps.value - 1)}>‹</button>
      <input
        type="range"
        min="0"
        max=${count}
        step="1"
        value=${shownSteps.value}
        disabled=${count === 0}
        aria-label=${t("step_slider")}
        aria-valuetext=${t("step_of", { step: shownSteps.value, count })}
        onInput=${(/** @type {any} */ event) => go(event.target.valueAsNumber)}
      />
      <button type="button" aria-label=${t("next")} title=${t("next")} disabled=${shownSteps.value === count} onClick=${() => go(shownSteps.value + 1)}>›</button>
      <button type="button" class="scrubber-play" disabled=${count === 0 || isRunning.value} onClick=${toggle}>${t(isPlaying ? "pause" : "play")}</button>
      <p class="scrubber-told">
        <strong>${t("step_of", { step: shownSteps.value, count })}</strong> <span>${summary()}</span>
      </p>
    </div>
  `;
}

/** @param {number} step */
function show(step) {
  wanted.value = step >= numSteps.value ? null : Math.max(0, step);
}

/**
 * Shows step after step; what it returns ends that.
 *
 * @param {() => void} ended
 */
function play(ended) {
  const timer = setInterval(() => {
    show(shownSteps.value + 1);
    if (shownSteps.value === numSteps.value) ended();
  }, PACE);
  return () => clearInterval(timer);
}

function summary() {
  const { steps } = shown.value;
  const last = steps[steps.length - 1];
  if (last === undefined) return "";
  return t("summary", { beams: last.beams.length, candidates: last.num_candidates, hypotheses: last.num_hypotheses });
}
