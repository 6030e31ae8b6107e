/** A value that is a JSON object. What is typed counts once it is one; until then the last that was holds. */

import { useState } from "preact/hooks";
import { html } from "../../app/html.js";
import { t } from "../texts.js";
import { readObject, showObject, withSetting } from "../values.js";
import { ExampleButton } from "./example_button.js";

/** @param {import("../fields/controls.js").ControlProps} props */
export function SchemaField({ topic, value, change, id, labelled, described, isWrong }) {
  const [draft, setDraft] = useState(/** @type {{ text: string, of: any } | null} */ (null));
  const isTyped = draft !== null && draft.of === value; // else it was set from elsewhere since
  const shown = isTyped ? draft.text : showObject(value);
  const { message } = readObject(shown);
  const type = (/** @type {any} */ event) => {
    const text = event.target.value;
    const { found } = readObject(text);
    const isSame = found === null || JSON.stringify(found) === JSON.stringify(value);
    setDraft({ text, of: isSame ? value : withSetting({}, topic.name, found)[topic.name] });
    if (!isSame) change(found);
  };
  return html`
    <div class="field-code">
      <textarea
        class="settings-code"
        rows=${Math.min(14, Math.max(2, shown.split("\n").length))}
        dir="ltr"
        autocapitalize="off"
        autocomplete="off"
        spellcheck=${false}
        placeholder=${t("not_set")}
        aria-labelledby=${labelled}
        aria-describedby=${message ? `${id}-unread ${described}` : described}
        aria-invalid=${isWrong || message !== ""}
        value=${shown}
        onInput=${type}
        onBlur=${() => message === "" && setDraft(null)}
      ></textarea>
      ${message && html`<p class="field-error" id=${`${id}-unread`}>${t("no_object", { message })}</p>`}
      <${ExampleButton} name=${topic.name} isEmpty=${shown === ""} put=${change} />
    </div>
  `;
}
