/** What stands where the text will: what one sees there, prompts to begin with, the way to the lessons. */

import { html } from "../../app/html.js";
import { tab } from "../../app/view.js";
import { draft } from "../../state/store.js";
import { generateFrom } from "../../state/generation.js";
import { EMPTY_PROMPT } from "../../state/tree.js";
import { reporting } from "../prompt/reporting.js";
import { t } from "./texts.js";

/** After the first much is possible, after the second little; the third goes on for long. */
const EXAMPLES = ["The cat sat on the", "The capital of France is", "Once upon a time"];

export function Beginning() {
  const { mode, text } = draft.value;
  return html`
    <div class="beginning">
      <p>${t("empty")}</p>
      ${mode === "text" && text === "" && html`<${Examples} />`}
    </div>
  `;
}

function Examples() {
  return html`
    <p id="examples-title">${t("examples")}</p>
    <ul class="examples" aria-labelledby="examples-title">
      ${EXAMPLES.map((one) => html`<li key=${one}><button type="button" lang="en" onClick=${() => write(one)}>${one} …</button></li>`)}
    </ul>
    <p>${t("lessons")} <button type="button" class="quiet as-link" onClick=${() => (tab.value = "learn")}>${t("to_lessons")}</button></p>
  `;
}

/** @param {string} text of a prompt */
function write(text) {
  reporting(() => generateFrom({ ...EMPTY_PROMPT, text }));
}
