/** What is kept in this browser: whether, earlier sessions, and the button that deletes it. */

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { html } from "../app/html.js";
import { announce } from "../app/notices.js";
import { language } from "../app/words.js";
import { reporting } from "../write/prompt/reporting.js";
import { deleteAll, deleteSession, earlier, isKept, listEarlier, openSession } from "./session/session.js";
import { t } from "./texts.js";

/** Milliseconds after which it is looked again whether a session is still open elsewhere. */
const RECHECK = 1000;

/** Whether the list is open. */
const isOpen = signal(false);

/** Whether the reader is being asked if all is to be deleted. */
const isAsked = signal(false);

export function Kept() {
  if (isKept.value === null) return null;
  if (!isKept.value) return html`<p class="not-kept notice-warning" role="status">${t("not_kept")}</p>`;
  return html`
    <details class="kept" onToggle=${(/** @type {any} */ event) => (isOpen.value = event.currentTarget.open) && reporting(listEarlier)}>
      <summary>${t("kept")}</summary>
      <p class="quiet-text">${t("kept_help")}</p>
      ${earlier.value.length > 0 && html`<${Earlier} />`}
      ${isAsked.value ? html`<${Sure} />` : html`<button type="button" onClick=${() => (isAsked.value = true)}>${t("clear")}</button>`}
    </details>
  `;
}

function Earlier() {
  const isWaiting = isOpen.value && earlier.value.some((one) => one.isElsewhere);
  useEffect(() => {
    if (!isWaiting) return;
    const timer = setInterval(() => reporting(listEarlier), RECHECK);
    return () => clearInterval(timer);
  }, [isWaiting]);
  return html`
    <h3>${t("earlier")}</h3>
    <ul class="earlier">
      ${earlier.value.map((one) => html`<${EarlierSession} key=${one.id} session=${one} />`)}
    </ul>
  `;
}

/** @param {{ session: import("./session/database.js").Session & { isElsewhere: boolean } }} props */
function EarlierSession({ session }) {
  const when = new Date(session.changed).toLocaleString(language.value, { dateStyle: "medium", timeStyle: "short" });
  const name = session.title || t("unnamed");
  const full = t("session", { name, when });
  return html`
    <li>
      <button type="button" class="quiet other-text" title=${t("open_session", { name: full })} disabled=${session.isElsewhere} onClick=${() => reporting(() => openSession(session))}>
        <span dir="auto">${name}</span>
        <span class="branch-facts">${session.isElsewhere ? t("elsewhere") : when}</span>
      </button>
      <button type="button" class="quiet sign" aria-label=${t("delete_session", { name: full })} disabled=${session.isElsewhere} onClick=${() => reporting(() => deleteSession(session))}>
        <span aria-hidden="true">×</span>
      </button>
    </li>
  `;
}

function Sure() {
  const clear = () => {
    isAsked.value = false;
    return reporting(async () => {
      await deleteAll();
      announce(t("cleared"));
    });
  };
  return html`
    <p>${t("clear_sure")}</p>
    <div class="actions">
      <button type="button" class="main" onClick=${clear}>${t("clear_yes")}</button>
      <button type="button" onClick=${() => (isAsked.value = false)}>${t("clear_no")}</button>
    </div>
  `;
}
