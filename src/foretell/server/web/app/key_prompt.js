/** Asks for the server's key, where it wants one. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { html } from "./html.js";
import { isKeyNeeded, key, useKey } from "../api/key.js";
import { meetServer } from "../state/server.js";
import { tell } from "./notices.js";
import { t } from "./texts.js";

export function KeyPrompt() {
  return isKeyNeeded.value ? html`<${KeyForm} />` : null;
}

function KeyForm() {
  const [text, setText] = useState("");
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useLayoutEffect(() => field.current?.focus(), []);
  /** @param {Event} event */
  const send = (event) => {
    event.preventDefault();
    useKey(text.trim());
    meetServer().catch((error) => error.status === 401 || tell("error", error.message));
  };
  return html`
    <form class="key-prompt notice notice-warning" aria-label=${t("key")} onSubmit=${send}>
      <label>
        <span>${t(key.value ? "key_wrong" : "key_needed")} ${t("key")}</span>
        <input
          ref=${field}
          type="password"
          autocomplete="off"
          required
          value=${text}
          onInput=${(/** @type {any} */ event) => setText(event.target.value)}
        />
      </label>
      <button type="submit">${t("use_key")}</button>
    </form>
  `;
}
