/** The prompt: a text, or a conversation; and how many tokens it has. */

import { useEffect } from "preact/hooks";
import { html } from "../../app/html.js";
import { changePrompt, draft, isPromptChanged, tree } from "../../state/store.js";
import { isBare } from "../../state/tree.js";
import { generateReporting } from "./reporting.js";
import { ChatBox } from "./chat_box.js";
import { inMode } from "./messages.js";
import { followCount, promptCount } from "./count.js";
import { showCount } from "../../text/numbers.js";
import { generateOnEnter, rowsOf } from "./typing.js";
import { t } from "./texts.js";

export function PromptBox() {
  useEffect(followCount, []);
  const { mode } = draft.value;
  return html`
    <section class="prompt-box sheet" aria-labelledby="prompt-title">
      <div class="prompt-head">
        <h2 id="prompt-title">${t("prompt")}</h2>
        <${Modes} />
      </div>
      ${mode === "text" ? html`<${TextPrompt} />` : html`<${ChatBox} />`}
      <div class="prompt-foot">
        <${Count} />
        ${isPromptChanged.value && !isBare(tree.value) && html`<p class="prompt-new">${t("new_text")}</p>`}
      </div>
    </section>
  `;
}

function Modes() {
  const one = (/** @type {"text" | "chat"} */ mode, /** @type {string} */ label) => html`
    <label>
      <input
        type="radio"
        name="prompt-mode"
        checked=${draft.value.mode === mode}
        onChange=${() => changePrompt(inMode(draft.value, mode))}
      />
      <span>${label}</span>
    </label>
  `;
  return html`
    <fieldset class="modes">
      <legend class="unseen">${t("kind")}</legend>
      ${one("text", t("plain"))} ${one("chat", t("chat"))}
    </fieldset>
  `;
}

function TextPrompt() {
  const { text } = draft.value;
  return html`
    <textarea
      class="prompt-text"
      aria-label=${t("prompt")}
      placeholder=${t("placeholder")}
      rows=${rowsOf(text)}
      dir="auto"
      spellcheck="false"
      value=${text}
      onInput=${(/** @type {any} */ event) => changePrompt({ ...draft.value, text: event.target.value, ids: null })}
      onKeyDown=${generateOnEnter}
    ></textarea>
  `;
}



function Count() {
  const found = promptCount.value;
  if (found === null) return html`<p class="prompt-count" aria-hidden="true">${" "}</p>`;
  const values = { count: showCount(found.count), most: showCount(found.most) };
  return html`<p class="prompt-count">${t("count", values)}</p>`;
}
