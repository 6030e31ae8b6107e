/** A text of any length. */

import { html } from "../../app/html.js";
import { t } from "../texts.js";

/** @param {import("../fields/controls.js").ControlProps} props */
export function TextField({ value, change, labelled, described, isWrong }) {
  return html`
    <textarea
      rows="2"
      dir="auto"
      placeholder=${Array.isArray(value) ? `id ${value.join(" ")}` : t("not_set")}
      aria-labelledby=${labelled}
      aria-describedby=${described}
      aria-invalid=${isWrong}
      value=${typeof value === "string" ? value : ""}
      onInput=${(/** @type {any} */ event) => change(event.target.value)}
    ></textarea>
  `;
}
