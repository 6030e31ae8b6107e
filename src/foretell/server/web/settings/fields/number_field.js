/** A number: a field for all legal values, and a slider over the useful ones where it is known which. */

import { useState } from "preact/hooks";
import { html } from "../../app/html.js";
import { readNumber, showNumber, spanOf } from "../numbers.js";
import { t } from "../texts.js";
import { placeholderOf } from "./placeholder.js";
import { Slider } from "./slider.js";

/** @param {import("./controls.js").ControlProps} props */
export function NumberField(props) {
  const { topic, value, filled, change, id, labelled, described, isWrong } = props;
  const [draft, setDraft] = useState(/** @type {string | null} */ (null));
  const span = spanOf(topic);
  const shown = draft ?? (value === undefined ? "" : showNumber(value));
  const wrong = draft !== null && draft.trim() !== "" && readNumber(draft) === null;
  const type = (/** @type {any} */ event) => {
    const text = event.target.value;
    setDraft(text);
    if (text.trim() === "") change(undefined);
    else if (readNumber(text) !== null) change(readNumber(text));
  };
  return html`
    <input
      class="field-input"
      id=${`${id}-input`}
      type="text"
      inputmode=${topic.notation === "integer" ? "numeric" : "decimal"}
      autocomplete="off"
      spellcheck="false"
      aria-labelledby=${labelled}
      aria-describedby=${wrong ? `${id}-unread ${described}` : described}
      aria-invalid=${isWrong || wrong}
      placeholder=${placeholderOf(filled)}
      value=${shown}
      onInput=${type}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => step(event, topic, value, span, change, setDraft)}
      onBlur=${() => !wrong && setDraft(null)}
    />
    ${span && html`<${Slider} ...${props} span=${span} change=${(/** @type {number} */ wanted) => (setDraft(null), change(wanted))} />`}
    ${wrong && html`<p class="field-error field-unread" id=${`${id}-unread`}>${t(unreadable(shown))}</p>`}
  `;
}

/** @param {string} text @returns {"safe_integer" | "no_number"} why it cannot be read */
function unreadable(text) {
  return Number.isFinite(Number(text)) ? "safe_integer" : "no_number";
}

/**
 * ↑ and ↓ change the number by a step, as in other fields of numbers.
 *
 * @param {KeyboardEvent} event
 * @param {import("../guide.js").Topic} topic
 * @param {any} value
 * @param {import("../numbers.js").Span | null} span
 * @param {(value: number) => void} change
 * @param {(draft: null) => void} setDraft
 */
function step(event, topic, value, span, change, setDraft) {
  const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (way === undefined || (topic.notation !== "integer" && !span)) return;
  event.preventDefault();
  const by = topic.notation === "integer" ? 1 : span?.isLogarithmic ? (value ?? span.low) / 10 : (span?.step ?? 1) * 5;
  const start = value ?? topic.neutral ?? topic.if_not_set ?? topic.low ?? 0;
  const wanted = Math.min(topic.high ?? Infinity, Math.max(topic.low ?? -Infinity, start + way * by));
  setDraft(null);
  change(Number(wanted.toPrecision(6)));
}
