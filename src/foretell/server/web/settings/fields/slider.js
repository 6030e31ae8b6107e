/** A slider, on which the useful values are marked, and what low and high ones lead to. */

import { html } from "../../app/html.js";
import { POSITIONS, keyStep, positionOf, showNumber, valueAt } from "../numbers.js";
import { saidOf } from "../said.js";
import { t } from "../texts.js";
import { placeholderOf } from "./placeholder.js";

/** @param {import("./controls.js").ControlProps & { span: import("../numbers.js").Span }} props */
export function Slider({ topic, value, filled, change, described, id, isWrong, span }) {
  const [, low, high] = saidOf(topic);
  const resting = typeof filled?.value === "number" ? filled.value : (topic.neutral ?? topic.if_not_set ?? span.low);
  const position = positionOf(span, typeof value === "number" ? value : resting);
  const share = (/** @type {number} */ one) => positionOf(span, one) / POSITIONS;
  const useful = topic.useful ?? [span.low, span.high];
  return html`
    <div class="field-slider" style=${{ "--share-from": share(useful[0]), "--share-to": share(useful[1]) }}>
      <input
        type="range"
        min="0"
        max=${POSITIONS}
        step=${keyStep(span)}
        value=${position}
        aria-label=${t("slider", { name: topic.name })}
        aria-describedby=${`${described} ${id}-ends`}
        aria-invalid=${isWrong}
        aria-valuetext=${value === undefined ? placeholderOf(filled) : showNumber(value)}
        data-unset=${value === undefined}
        onInput=${(/** @type {any} */ event) => change(valueAt(span, Number(event.target.value)))}
      />
    </div>
    <p class="field-slider-ends" id=${`${id}-ends`}>
      <span><span class="unseen">${t("low")}: </span>${low}</span>
      <span><span class="unseen">${t("high")}: </span>${high}</span>
    </p>
  `;
}
