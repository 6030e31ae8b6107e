/** What the page has to tell: errors, and what a screen reader hears. */

import { signal } from "@preact/signals";
import { html } from "./html.js";
import { t } from "./texts.js";

/** @typedef {{ id: number, kind: "error" | "warning" | "note", text: string }} Notice */

/** @type {import("@preact/signals").Signal<Notice[]>} */
export const notices = signal([]);

/** The latest sentence for screen readers. */
export const announcement = signal("");

let lastId = 0;

/**
 * Show a notice until it is dismissed; the same one is not shown twice.
 *
 * @param {Notice["kind"]} kind
 * @param {string} text
 */
export function tell(kind, text) {
  if (notices.value.some((one) => one.text === text)) return;
  lastId += 1;
  notices.value = [...notices.value, { id: lastId, kind, text }];
}

/** @param {string} text what is no longer so */
export function untell(text) {
  notices.value = notices.value.filter((one) => one.text !== text);
}

/** @param {string} text is read out by screen readers */
export function announce(text) {
  announcement.value = text;
}

export function Notices() {
  return html`
    <div class="notices">
      ${notices.value.map(
        (one) => html`
          <div key=${one.id} class=${`notice notice-${one.kind}`} role=${one.kind === "error" ? "alert" : "status"}>
            <p>${one.text}</p>
            <button type="button" class="quiet" onClick=${() => untell(one.text)}>${t("dismiss")}</button>
          </div>
        `,
      )}
    </div>
    <p class="unseen" role="status" aria-live="polite">${announcement.value}</p>
  `;
}
