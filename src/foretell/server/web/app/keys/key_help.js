/** A dialog that lists the keys. `help_key.js` opens it. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { html } from "../html.js";
import { isHelpShown } from "./help_key.js";
import { t } from "./texts.js";

const KEYS = /** @type {const} */ ([
  [["Ctrl", "Enter"], "generate"],
  [["←", "→"], "token"],
  [["u"], "uncertain"],
  [["↓", "↑"], "alternative"],
  [["Enter"], "fork"],
  [["[", "]"], "sibling"],
  [["Esc"], "back"],
  [["?"], "help"],
]);

export function KeyHelp() {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const isShown = isHelpShown.value;
  useLayoutEffect(() => {
    if (isShown) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isShown]);
  return html`
    <dialog ref=${dialog} class="key-help" aria-labelledby="key-help-name" onClose=${hide} onClick=${hideOutside}>
      <h2 id="key-help-name">${t("title")}</h2>
      <dl>
        ${KEYS.map(
          ([keys, name]) => html`
            <div key=${name}>
              <dt>${keys.map((one) => html`<kbd key=${one}>${one}</kbd>`)}</dt>
              <dd>${t(name)}</dd>
            </div>
          `,
        )}
      </dl>
      <p>${t("fields")}</p>
      <button type="button" onClick=${hide}>${t("close")}</button>
    </dialog>
  `;
}

function hide() {
  isHelpShown.value = false;
}

/** @param {MouseEvent} event */
function hideOutside(event) {
  if (event.target === event.currentTarget) hide();
}
