/** A field that counts once it is left: what is being typed stays, whatever is drawn anew meanwhile. */

import { useState } from "preact/hooks";
import { html } from "../../app/html.js";

/** @param {{ value: any, commit: (text: string) => void } & Record<string, any>} props the rest is the field's own */
export function LateInput({ value, commit, ...rest }) {
  const [draft, setDraft] = useState(/** @type {string | null} */ (null));
  const end = (/** @type {any} */ event) => {
    setDraft(null);
    commit(event.target.value);
  };
  return html`<input type="text" ...${rest} value=${draft ?? value} onInput=${(/** @type {any} */ event) => setDraft(event.target.value)} onChange=${end} />`;
}
