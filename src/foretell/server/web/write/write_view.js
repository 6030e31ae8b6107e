/**
 * The view "Write": a prompt, the text that the model makes of it, and every choice in it.
 *
 * Three columns: the tree of branches; the prompt and its text; the token in focus and the settings.
 * Narrow pages have two, or one.
 */

import { useEffect } from "preact/hooks";
import { html } from "../app/html.js";
import { tell } from "../app/notices.js";
import { goOn, stop, writing } from "../state/generation.js";
import { tree } from "../state/store.js";
import { newTree } from "../state/tree.js";
import { Strip } from "./text/strip.js";
import { Text } from "./text/text.js";
import { TokenPanel } from "./token/token_panel.js";
import { t } from "./texts.js";
import { followKeys } from "./write_keys.js";

export function WriteView() {
  useEffect(followKeys, []);
  return html`
    <div class="write">
      <div class="write-tree"></div>
      <div class="write-page">
        <${PromptBox} />
        <${Actions} />
        <${Text} />
        <${Strip} />
      </div>
      <div class="write-choice">
        <${TokenPanel} />
      </div>
    </div>
  `;
}

function PromptBox() {
  return html`
    <label class="prompt">
      <span>${t("prompt")}</span>
      <textarea rows="3" dir="auto" value=${tree.value.prompt.text} onInput=${changePrompt}></textarea>
    </label>
  `;
}

function Actions() {
  return html`
    <div class="actions">
      <button type="button" class="main" disabled=${writing.value !== null} onClick=${generate}>${t("generate")}</button>
      <button type="button" disabled=${writing.value === null} onClick=${stop}>${t("stop")}</button>
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
