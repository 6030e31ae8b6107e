/** Asks for the server's key, where it wants one. */

import { useState } from "preact/hooks";
import { html } from "./html.js";
import { isKeyNeeded, useKey } from "../api/key.js";
import { t } from "./texts.js";

export function KeyPrompt() {
  const [text, setText] = useState("");
  if (!isKeyNeeded.value) return null;
  /** @param {Event} event */
  const send = (event) => {
    event.preventDefault();
    useKey(text.trim());
  };
  return html`
    <form class="key-prompt notice notice-warning" onSubmit=${send}>
      <label>
        <span>${t("key_needed")} ${t("key")}</span>
        <input type="password" autocomplete="off" value=${text} onInput=${(/** @type {any} */ event) => setText(event.target.value)} />
      </label>
      <button type="submit">${t("use_key")}</button>
    </form>
  `;
}
