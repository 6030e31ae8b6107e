/** The top of the page: whose it is, which model answers, the tabs, how it looks. */

import { html } from "./html.js";
import { isHelpShown } from "./keys/help_key.js";
import { LANGUAGES, language } from "./words.js";
import { TABS, THEMES, tab, theme } from "./view.js";
import { serverModel } from "../state/server.js";
import { t } from "./texts.js";

const LANGUAGE_NAMES = { en: "English", ko: "한국어" };

export function Header() {
  return html`
    <header class="top">
      <p class="wordmark">foretell</p>
      <${Tabs} />
      <p class="model" title=${t("model")}>${serverModel.value}</p>
      <div class="looks">
        <button type="button" class="quiet" title=${t("keys")} aria-label=${t("keys")} onClick=${() => (isHelpShown.value = true)}>?</button>
        <${Select} label=${t("language")} sign="文" value=${language} options=${LANGUAGES} name=${(/** @type {"en"|"ko"} */ one) => LANGUAGE_NAMES[one]} />
        <${Select} label=${t("theme")} sign="◐" value=${theme} options=${THEMES} name=${t} />
      </div>
    </header>
  `;
}

function Tabs() {
  return html`
    <div class="tabs" role="tablist" aria-label=${t("views")} onKeyDown=${moveTab}>
      ${TABS.map(
        (one) => html`
          <button
            key=${one}
            type="button"
            role="tab"
            id=${`tab-${one}`}
            aria-selected=${tab.value === one}
            aria-controls="view"
            tabindex=${tab.value === one ? 0 : -1}
            onClick=${() => (tab.value = one)}
          >
            ${t(one)}
          </button>
        `,
      )}
    </div>
  `;
}

/** @param {KeyboardEvent} event ← → move between tabs, Home and End to their ends */
function moveTab(event) {
  const last = TABS.length - 1;
  const here = TABS.indexOf(tab.value);
  const moves = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: last };
  if (!(event.key in moves)) return;
  event.preventDefault();
  event.stopPropagation();
  const next = moves[/** @type {keyof typeof moves} */ (event.key)];
  tab.value = TABS[(next + TABS.length) % TABS.length];
  document.getElementById(`tab-${tab.value}`)?.focus();
}

/**
 * @param {{ label: string, sign: string, value: import("@preact/signals").Signal<string>,
 *   options: readonly string[], name: (option: any) => string }} props
 */
function Select({ label, sign, value, options, name }) {
  return html`
    <label class="select" title=${label}>
      <span class="unseen">${label}</span>
      <span class="select-sign" aria-hidden="true">${sign}</span>
      <select value=${value.value} onChange=${(/** @type {any} */ event) => (value.value = event.target.value)}>
        ${options.map((one) => html`<option key=${one} value=${one}>${name(one)}</option>`)}
      </select>
    </label>
  `;
}
