/** Which early layers are contrasted: "low", "high", or their numbers. */

import { html } from "../../app/html.js";
import { t } from "../texts.js";

/** @param {import("../fields/controls.js").ControlProps} props */
export function LayersField({ value, change, labelled, described, isWrong }) {
  return html`
    <input
      type="text"
      autocapitalize="off"
      autocomplete="off"
      spellcheck=${false}
      placeholder=${t("not_set")}
      aria-labelledby=${labelled}
      aria-describedby=${described}
      aria-invalid=${isWrong}
      value=${Array.isArray(value) ? value.join(" ") : (value ?? "")}
      onChange=${(/** @type {any} */ event) => change(read(event.target.value.trim()))}
    />
  `;
}

/** @param {string} text */
function read(text) {
  if (text === "") return undefined;
  return /^\d+([\s,]+\d+)*$/.test(text) ? text.split(/[\s,]+/).map(Number) : text;
}
