/** The whole page: a header with tabs, and the view of the tab. */

import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";
import { Boundary } from "./boundary.js";
import { Header } from "./header.js";
import { keepFocus } from "./kept_focus.js";
import { KeyPrompt } from "./key_prompt.js";
import { fetchLaterStyle } from "./later_style.js";
import { fetchedLater } from "./fetched_later.js";
import { followKey, isHelpShown } from "./keys/help_key.js";
import { LessonPlace } from "./lesson_place.js";
import { Notices } from "./notices.js";
import { followView, tab } from "./view.js";
import { WriteView } from "../write/write_view.js";
import { t } from "./texts.js";

/** Views that are fetched when they are first opened. */
const LATER = {
  compare: () => import("../compare/compare_view.js").then((module) => module.CompareView),
  beams: () => import("../beams/beams_view.js").then((module) => module.BeamsView),
  learn: () => import("../learn/learn_view.js").then((module) => module.LearnView),
};

/** Those that are there: they are shown at once. @type {Partial<Record<import("./view.js").Tab, any>>} */
const fetched = {};

const KeyHelp = fetchedLater(() => import("./keys/key_help.js").then((module) => module.KeyHelp));

export function App() {
  useEffect(followKey, []);
  useEffect(followView, []);
  useEffect(keepFocus, []);
  return html`
    <a class="skip" href="#view">${t("skip")}</a>
    <${Header} />
    <${KeyPrompt} />
    <${Notices} />
    <main>
      <${LessonPlace} />
      <div id="view" role="tabpanel" aria-labelledby=${`tab-${tab.value}`} tabindex="-1">
        <${Boundary} key=${tab.value}><${View} name=${tab.value} /><//>
      </div>
    </main>
    ${isHelpShown.value && html`<${KeyHelp} />`}
  `;
}

/** @param {{ name: import("./view.js").Tab }} props */
function View({ name }) {
  const [Found, setFound] = useState(() => fetched[name] ?? null);
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  useEffect(() => {
    if (name === "write" || Found !== null) return;
    Promise.all([LATER[name](), fetchLaterStyle()]).then(([view]) => setFound(() => (fetched[name] = view)), setError);
  }, [name]);
  if (error !== null) throw error;
  if (name === "write") return html`<h1 class="unseen">${t("write")}</h1><${WriteView} />`;
  return Found === null ? html`<p class="loading">${t("loading")}</p>` : html`<${Found} />`;
}
