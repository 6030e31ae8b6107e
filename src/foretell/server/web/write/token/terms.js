/** What the panel's figures say, for who meets them for the first time. */

import { signal } from "@preact/signals";
import { html } from "../../app/html.js";
import { showCount } from "../../text/numbers.js";
import { t } from "./texts.js";

/** Whether it is open: it stays so from token to token. */
const isOpen = signal(false);

/** @param {{ entropy: number }} props entropy in nats, before any setting */
export function Terms({ entropy }) {
  const number = Math.round(Math.exp(entropy));
  return html`
    <details class="terms" open=${isOpen.value} onToggle=${(/** @type {any} */ event) => (isOpen.value = event.currentTarget.open)}>
      <summary>${t("terms")}</summary>
      <dl>
        <div><dt>${t("probability")}</dt><dd>${t("probability_is")}</dd></div>
        <div><dt>${t("rank")}</dt><dd>${t("rank_is")}</dd></div>
        <div><dt>${t("surprisal")}</dt><dd>${t("surprisal_is")}</dd></div>
        <div><dt>${t("entropy")}</dt><dd>${t("entropy_is")} ${number > 1 ? t("entropy_here", { number: showCount(number) }) : t("entropy_none")}</dd></div>
      </dl>
    </details>
  `;
}
