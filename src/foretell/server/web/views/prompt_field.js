/** The field of the prompt: Write's, or one of the reader's. */

import { useId } from "preact/hooks";
import { html } from "../app/html.js";
import { ownText, prompt } from "./prompt.js";
import { t } from "./texts.js";

export function PromptField() {
  return html`
    <div class="view-prompt">
      ${prompt.value.mode === "chat" ? html`<${Conversation} />` : html`<${TextPrompt} />`}
      <${Origin} />
    </div>
  `;
}

function TextPrompt() {
  const id = useId();
  return html`
    <label for=${id}>${t("prompt")}</label>
    <textarea
      id=${id}
      rows="2"
      dir="auto"
      spellcheck=${false}
      value=${prompt.value.text}
      onInput=${(/** @type {any} */ event) => (ownText.value = event.target.value)}
    ></textarea>
  `;
}

function Conversation() {
  return html`
    <p class="view-prompt-label">${t("conversation")}</p>
    <ol class="conversation">
      ${prompt.value.messages.map(
        ({ role, content }, index) => html`
          <li key=${index}><span class="role">${roleName(role)}</span> <bdi>${content}</bdi></li>
        `,
      )}
    </ol>
  `;
}

/** @param {string} role */
function roleName(role) {
  if (role === "user") return t("role_user");
  if (role === "assistant") return t("role_assistant");
  return role === "system" ? t("role_system") : role;
}

function Origin() {
  const isOwn = ownText.value !== null;
  const isChat = prompt.value.mode === "chat";
  return html`
    <p class="view-prompt-origin">
      <span>${isChat ? "" : t(isOwn ? "prompt_own" : "prompt_of_write")}</span>
      ${isOwn && html`<button type="button" class="quiet" onClick=${() => (ownText.value = null)}>${t("use_write")}</button>`}
      ${isChat && html`<button type="button" class="quiet" onClick=${() => (ownText.value = "")}>${t("own_prompt")}</button>`}
    </p>
  `;
}
