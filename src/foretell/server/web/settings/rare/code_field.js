/** A text in a formal language: a regular expression, a grammar. */

import { html } from "../../app/html.js";
import { t } from "../texts.js";
import { ExampleButton } from "./example_button.js";

/** @param {import("../fields/controls.js").ControlProps} props */
export function CodeField({ topic, value, change, labelled, described, isWrong }) {
  const text = typeof value === "string" ? value : "";
  return html`
    <div class="field-code">
      <textarea
        class="settings-code"
        rows=${Math.min(12, Math.max(2, text.split("\n").length + 1))}
        dir="ltr"
        autocapitalize="off"
        autocomplete="off"
        spellcheck=${false}
        placeholder=${t("not_set")}
        aria-labelledby=${labelled}
        aria-describedby=${described}
        aria-invalid=${isWrong}
        value=${text}
        onInput=${(/** @type {any} */ event) => change(event.target.value)}
      ></textarea>
      <${ExampleButton} name=${topic.name} isEmpty=${text === ""} put=${change} />
    </div>
  `;
}
