/** The messages of a conversation, each with its role. */

import { html } from "../../app/html.js";
import { changePrompt, draft } from "../../state/store.js";
import { withMessage, withMoved, withOneMore, withoutMessage } from "./messages.js";
import { generateOnEnter, rowsOf } from "./typing.js";
import { t } from "./texts.js";

const ROLES = /** @type {const} */ (["system", "user", "assistant"]);

export function ChatBox() {
  const { messages } = draft.value;
  const goesOn = messages.at(-1)?.role === "assistant";
  return html`
    <ol class="messages" aria-label=${t("conversation")}>
      ${messages.map((message, index) => html`<${Message} key=${index} message=${message} index=${index} />`)}
    </ol>
    <div class="messages-foot">
      <button type="button" onClick=${() => changePrompt(withOneMore(draft.value))}>${t("add")}</button>
      ${goesOn && html`<p class="quiet-text">${t("goes_on")}</p>`}
    </div>
  `;
}

/** @param {{ message: { role: string, content: string }, index: number }} props */
function Message({ message, index }) {
  const number = index + 1;
  const change = (/** @type {Partial<typeof message>} */ changes) =>
    changePrompt(withMessage(draft.value, index, changes));
  return html`
    <li class="message">
      <div class="message-head">
        <select
          aria-label=${t("role", { number })}
          value=${message.role}
          onChange=${(/** @type {any} */ event) => change({ role: event.target.value })}
        >
          ${ROLES.map((role) => html`<option key=${role} value=${role}>${t(role)}</option>`)}
        </select>
        <${MessageTools} index=${index} />
      </div>
      <textarea
        aria-label=${t("message", { number })}
        rows=${rowsOf(message.content)}
        dir="auto"
        spellcheck="false"
        value=${message.content}
        onInput=${(/** @type {any} */ event) => change({ content: event.target.value })}
        onKeyDown=${generateOnEnter}
      ></textarea>
    </li>
  `;
}

/** @param {{ index: number }} props */
function MessageTools({ index }) {
  const number = index + 1;
  const last = draft.value.messages.length - 1;
  const tool = (
    /** @type {"up" | "down" | "remove"} */ name,
    /** @type {string} */ sign,
    /** @type {boolean} */ isOff,
    /** @type {() => void} */ act,
  ) => html`
    <button type="button" class="quiet sign" aria-label=${t(name, { number })} title=${t(name, { number })} disabled=${isOff} onClick=${act}>
      <span aria-hidden="true">${sign}</span>
    </button>
  `;
  return html`
    <div class="message-tools">
      ${tool("up", "↑", index === 0, () => changePrompt(withMoved(draft.value, index, index - 1)))}
      ${tool("down", "↓", index === last, () => changePrompt(withMoved(draft.value, index, index + 1)))}
      ${tool("remove", "×", last === 0, () => changePrompt(withoutMessage(draft.value, index)))}
    </div>
  `;
}
