/** The view "Write": a prompt, the text that the model makes of it, and every choice in it. */

import { html } from "../app/html.js";
import { tell } from "../app/notices.js";
import { goOn, stop, writing } from "../state/generation.js";
import { tokens, tree } from "../state/store.js";
import { newTree } from "../state/tree.js";
import { boxesOf } from "../text/token.js";
import { t } from "./texts.js";

export function WriteView() {
  return html`
    <div class="write">
      <label class="prompt">
        <span>${t("prompt")}</span>
        <textarea rows="3" dir="auto" value=${tree.value.prompt.text} onInput=${changePrompt}></textarea>
      </label>
      <div class="actions">
        <button type="button" class="main" disabled=${writing.value !== null} onClick=${generate}>${t("generate")}</button>
        <button type="button" disabled=${writing.value === null} onClick=${stop}>${t("stop")}</button>
      </div>
      <section class="text" role="region" aria-label=${t("text")} dir="auto">
        ${boxesOf(tokens.value).map((box) => html`<button key=${box.start} type="button" class="token">${box.text}</button>`)}
      </section>
    </div>
  `;
}

/** @param {any} event */
function changePrompt(event) {
  tree.value = newTree({ mode: "text", text: event.target.value, messages: [], ids: null });
}

function generate() {
  goOn().catch((error) => tell("error", error.message));
}
