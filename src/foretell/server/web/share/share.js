/** Links and exports of the text that is shown. */

import { signal } from "@preact/signals";
import { html } from "../app/html.js";
import { announce } from "../app/notices.js";
import { writing } from "../state/generation.js";
import { tokens } from "../state/store.js";
import { reporting } from "../write/prompt/reporting.js";
import { isReplaying, leaveReplaying } from "./replaying.js";
import { t } from "./texts.js";

/** What makes links and exports is fetched when one is wanted. */
const linkToText = async () => (await import("./link/link.js")).linkToText();
const asShell = async () => (await import("./export/exports.js")).asShell();
const asPython = async () => (await import("./export/exports.js")).asPython();
const asHtml = async () => (await import("./export/exports.js")).asHtml();
const asJson = async () => (await import("./export/exports.js")).asJson();

/** What could not be copied, to be copied by hand; or what was copied last. */
const told = signal(/** @type {{ name: string, text: string | null } | null} */ (null));

export function Share() {
  const isOff = tokens.value.length === 0 || writing.value !== null;
  return html`
    <details class="share">
      <summary>${t("share")}</summary>
      <div class="share-parts">
        <button type="button" disabled=${isOff} onClick=${() => copyMade(t("link"), linkToText)}>${t("copy_link")}</button>
        <p class="quiet-text">${t("link_help")}</p>
        <h3>${t("export")}</h3>
        <div class="actions">
          <${Copy} name=${t("as_shell")} make=${asShell} isOff=${isOff} />
          <${Copy} name=${t("as_python")} make=${asPython} isOff=${isOff} />
          <${Download} name=${t("as_html")} file="foretell.html" kind="text/html" make=${asHtml} isOff=${isOff} />
          <${Download} name=${t("as_json")} file="foretell.json" kind="application/json" make=${asJson} isOff=${isOff} />
        </div>
        <${Told} />
      </div>
    </details>
    <div role="status" class="replaying">
      ${isReplaying.value && html`<p class="quiet-text">${t("replaying")}</p><button type="button" onClick=${leaveReplaying}>${t("leave")}</button>`}
    </div>
  `;
}

function Told() {
  const last = told.value;
  if (last === null) return null;
  if (last.text === null) return html`<p class="quiet-text">${t("copied", { name: last.name })}</p>`;
  return html`
    <label class="share-by-hand">
      <span>${t("not_copied")}</span>
      <textarea readonly rows="4" value=${last.text} onFocus=${(/** @type {any} */ event) => event.target.select()}></textarea>
    </label>
  `;
}

/** @param {{ name: string, make: () => Promise<string>, isOff: boolean }} props */
function Copy({ name, make, isOff }) {
  return html`<button type="button" disabled=${isOff} onClick=${() => copyMade(name, make)}>${t("copy", { name })}</button>`;
}

/** @param {{ name: string, file: string, kind: string, make: () => Promise<string>, isOff: boolean }} props */
function Download({ name, file, kind, make, isOff }) {
  const download = () => reporting(async () => saveAs(file, kind, await make()));
  return html`<button type="button" disabled=${isOff} onClick=${download}>${t("download", { name })}</button>`;
}

/**
 * @param {string} name
 * @param {() => Promise<string>} make
 */
function copyMade(name, make) {
  told.value = null;
  return reporting(async () => {
    const text = await make();
    const isCopied = await copied(text);
    told.value = { name, text: isCopied ? null : text };
    if (isCopied) announce(t("copied", { name }));
  });
}

/** @param {string} text */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // no permission, or no secure context
  }
}

/**
 * @param {string} file
 * @param {string} kind
 * @param {string} text
 */
function saveAs(file, kind, text) {
  const address = URL.createObjectURL(new Blob([text], { type: kind }));
  const link = document.createElement("a");
  link.href = address;
  link.download = file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
