/** How uncertain the model was before each token, as a chart below the text. */

import { signal } from "@preact/signals";
import { html } from "../../app/html.js";
import { focus } from "../../state/store.js";
import { axisOf, outlineOf, summaryOf } from "../../text/strip_shape.js";
import { showCount, showEntropy } from "../../text/numbers.js";
import { valueOf } from "../../text/shade.js";
import { nameOf } from "../../text/visible.js";
import { hasMoved } from "./pointer.js";
import { hovered, lookedAt, shownTokens } from "./text_state.js";
import { t } from "./texts.js";

/** What the chart shows. */
const shown = signal(/** @type {"entropy" | "surprisal"} */ ("entropy"));

export function Strip() {
  const tokens = shownTokens.value;
  if (tokens.length === 0) return null;
  const values = tokens.map((token) => valueOf(token, shown.value));
  const axis = axisOf(values);
  return html`
    <figure class="strip">
      <figcaption>
        <label>
          <span class="unseen">${t("chart")}</span>
          <select value=${shown.value} onChange=${(/** @type {any} */ event) => (shown.value = event.target.value)}>
            <option value="entropy">${t("entropy")}</option>
            <option value="surprisal">${t("surprisal")}</option>
          </select>
        </label>
        <span id="strip-summary">${summary(values)}</span>
      </figcaption>
      <div class="strip-chart" dir="ltr">
        <span class="strip-axis" aria-hidden="true">${axis}</span>
        <${Chart} outline=${outlineOf(values, axis)} number=${tokens.length} />
      </div>
    </figure>
  `;
}

/** @param {(number | null)[]} values */
function summary(values) {
  const found = summaryOf(values);
  if (found === null) return t("chart_nothing");
  if (values.length === 1) return t("chart_summary_one", { mean: showEntropy(found.mean) });
  return t("chart_summary", {
    number: showCount(values.length),
    mean: showEntropy(found.mean),
    most: showEntropy(found.most),
    position: showCount(found.at + 1),
    token: nameOf(shownTokens.value[found.at]),
  });
}

/** @param {{ outline: string, number: number }} props */
function Chart({ outline, number }) {
  const now = focus.value ?? 0;
  return html`
    <div
      class="strip-plot"
      role="slider"
      tabindex="0"
      aria-label=${t("position")}
      aria-describedby="strip-summary"
      aria-valuemin="1"
      aria-valuemax=${number}
      aria-valuenow=${Math.min(now, number - 1) + 1}
      aria-valuetext=${valueText(Math.min(now, number - 1))}
      onPointerDown=${jump}
      onPointerMove=${preview}
      onPointerLeave=${() => (hovered.value = null)}
      onKeyDown=${move}
    >
      <svg viewBox=${`0 0 ${number} 1`} preserveAspectRatio="none" aria-hidden="true">
        <path d=${outline} />
      </svg>
      <${Mark} number=${number} />
    </div>
  `;
}

/** The token that is looked at. @param {{ number: number }} props */
function Mark({ number }) {
  const index = lookedAt.value;
  if (index === null) return null;
  return html`<span class="strip-mark" style=${{ left: `${((index + 0.5) / number) * 100}%` }}></span>`;
}

/** @param {number} index */
function valueText(index) {
  const token = shownTokens.value[index];
  const value = valueOf(token, shown.value);
  const figure = value === null ? t(token.origin) : `${t(shown.value)} ${showEntropy(value)}`;
  return `${nameOf(token)}, ${figure}`;
}

/** @param {PointerEvent} event */
function indexAt(event) {
  const { left, width } = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
  const { length } = shownTokens.value;
  return Math.max(0, Math.min(length - 1, Math.floor(((event.clientX - left) / width) * length)));
}

/** @param {PointerEvent} event */
function jump(event) {
  hovered.value = null;
  focus.value = indexAt(event);
}

/** @param {PointerEvent} event */
function preview(event) {
  if (!hasMoved(event)) return;
  if (event.buttons === 1) jump(event);
  else hovered.value = indexAt(event);
}

/** @param {KeyboardEvent} event */
function move(event) {
  const last = shownTokens.value.length - 1;
  const now = focus.value ?? 0;
  const moves = {
    ArrowLeft: now - 1,
    ArrowDown: now - 1,
    ArrowRight: now + 1,
    ArrowUp: now + 1,
    PageDown: now - 10,
    PageUp: now + 10,
    Home: 0,
    End: last,
  };
  if (!(event.key in moves)) return;
  event.preventDefault();
  event.stopPropagation();
  focus.value = Math.max(0, Math.min(last, moves[/** @type {keyof typeof moves} */ (event.key)]));
}
