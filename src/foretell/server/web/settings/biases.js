/** Biases of tokens: open once there is one. */

import { useState } from "preact/hooks";
import { html } from "../app/html.js";
import { settings } from "../state/store.js";
import { topicOf } from "./plan.js";
import { t } from "./texts.js";
import { biasesOf } from "./values.js";

/**
 * @param {{ guide: import("./guide.js").Guide, field: (topic: import("./guide.js").Topic) => any }} props
 */
export function Biases({ guide, field }) {
  const [wasOpened, setOpened] = useState(false);
  const numSet = Object.keys(biasesOf(settings.value.logit_bias)).length;
  const isShown = wasOpened || numSet > 0;
  const toggle = (/** @type {Event} */ event) => {
    event.preventDefault();
    setOpened(!isShown);
  };
  return html`
    <details class="settings-group" open=${isShown}>
      <summary onClick=${toggle}>
        <span class="settings-group-name">${t("biases")}</span>
        <span class="settings-group-count">${numSet > 0 ? t("num_set", { count: numSet }) : ""}</span>
      </summary>
      ${isShown && html`<div class="settings-group-fields">${field(topicOf(guide, "logit_bias"))}</div>`}
    </details>
  `;
}
