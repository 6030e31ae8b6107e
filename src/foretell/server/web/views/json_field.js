/** All settings as JSON: for those that have no field of their own. */

import { useEffect, useId, useState } from "preact/hooks";
import { html } from "../app/html.js";
import { readSettings } from "./settings_text.js";
import { t } from "./texts.js";

/**
 * @param {{ settings: Record<string, any>, change: (settings: Record<string, any>) => void }} props
 */
export function JsonField({ settings, change }) {
  const id = useId();
  const [text, setText] = useState(() => JSON.stringify(settings));
  const [problem, setProblem] = useState("");
  useEffect(() => {
    const { found } = readSettings(text);
    if (JSON.stringify(found) !== JSON.stringify(settings)) setText(JSON.stringify(settings));
    setProblem("");
  }, [settings]);
  /** @param {any} event */
  const read = (event) => {
    const { found, message } = readSettings(event.target.value);
    setText(event.target.value);
    setProblem(message);
    if (found !== null) change(found);
  };
  return html`
    <div class="json-field">
      <label for=${id}>${t("json")}</label>
      <textarea id=${id} rows="3" dir="ltr" spellcheck=${false} value=${text} onInput=${read} aria-invalid=${problem !== ""} aria-describedby=${`${id}-told`}></textarea>
      <p id=${`${id}-told`} class="field-error" role="status">${problem && t("bad_json", { message: problem })}</p>
    </div>
  `;
}
