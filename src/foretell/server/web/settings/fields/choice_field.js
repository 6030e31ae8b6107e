/** One of a few values: a row of them, "not set" among them. */

import { html } from "../../app/html.js";
import { t } from "../texts.js";
import { placeholderOf } from "./placeholder.js";

/** @param {import("./controls.js").ControlProps} props */
export function ChoiceField({ topic, value, filled, change, id, labelled, described }) {
  const choices = choicesOf(topic);
  return html`
    <div class="field-choices" role="radiogroup" aria-labelledby=${labelled} aria-describedby=${described}>
      ${[undefined, ...choices.map(([one]) => one)].map(
        (one) => html`
          <label key=${String(one)} class="field-choice">
            <input type="radio" name=${id} checked=${value === one} onChange=${() => change(one)} />
            <span>${one === undefined ? placeholderOf(filled) : choices.find(([other]) => other === one)?.[1]}</span>
          </label>
        `,
      )}
    </div>
  `;
}

/** Whole numbers that stand in a row. */
const FEW = 4;

/**
 * Whether a number is one of so few that each is a choice, as a version is.
 *
 * @param {import("../guide.js").Topic} topic
 */
export function isFew({ notation, low, high }) {
  return notation === "integer" && low !== null && high !== null && high - low < FEW;
}

/**
 * @param {import("../guide.js").Topic} topic
 * @returns {[any, string][]} values, and how they are called
 */
function choicesOf(topic) {
  const { notation, choices, low, high } = topic;
  if (isFew(topic)) {
    const least = Number(low);
    return Array.from({ length: Number(high) - least + 1 }, (_, index) => [least + index, String(least + index)]);
  }
  /** @type {[any, string][]} */
  const flags = [[true, t("yes")], [false, t("no")]];
  if (notation === "flag") return flags;
  if (notation === "early_stopping") return [...flags, ["never", t("never")]];
  return choices.map((one) => [one, one]);
}
