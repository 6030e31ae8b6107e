/** What ended the text that is shown, with which seed it was drawn, and what is odd about going on. */

import { html } from "../../app/html.js";
import { foreignness, isTwin, lastSeed, warnings, writing } from "../../state/generation.js";
import { beginningAnew } from "../../state/runs.js";
import { current, settings, tokens } from "../../state/store.js";
import { nameOf } from "../../text/visible.js";
import { t } from "./texts.js";

export function Ending() {
  const { finish, id } = current.value;
  return html`
    <div class="ending">
      ${finish !== null && writing.value !== id && html`<p class=${`ending-${finish.reason}`}>${toldEnd(finish)}</p>`}
      ${foreignness.value !== null && html`<p class="ending-warning">${foreignness.value}</p>`}
      ${isTwin.value && html`<p>${t("twin")}</p>`}
      <${Seed} />
      ${tokens.value.length > 0 && html`<${Anew} />`}
      ${warnings.value.map((warning) => html`<p key=${warning} class="ending-warning">${t("warning", { warning })}</p>`)}
    </div>
  `;
}

const KINDS = /** @type {const} */ ([
  "eos", "token", "string", "regex", "loop", "criteria", "max_new_tokens", "max_length", "context", "max_time",
]);

/** @param {import("../../state/tree.js").Finish} finish */
export function toldEnd({ reason, stop }) {
  if (reason === "error") return t("error", { value: String(stop) });
  const kind = KINDS.find((one) => one === stop?.kind);
  if (kind === undefined) return t("aborted");
  if (kind === "max_new_tokens" && stop.value === 1) return t("max_new_tokens_one");
  return t(kind, { value: shownValue(stop.value) });
}

/** @param {string | number | null | undefined} value of a stop; what would not be seen in a text has signs */
function shownValue(value) {
  return typeof value === "string" ? nameOf({ text: value, bytes: [] }) : (value ?? "");
}

/** The seed of what was drawn; a click keeps it, another lets it go. */
function Seed() {
  const seed = lastSeed.value;
  if (seed === null) return null;
  const isKept = settings.value.seed === seed;
  const change = () => {
    const { seed: _, ...others } = settings.value;
    settings.value = isKept ? others : { ...others, seed };
  };
  return html`
    <button type="button" class="quiet seed" aria-pressed=${isKept} title=${t(isKept ? "free_seed" : "copy_seed")} onClick=${change}>
      ${t(isKept ? "seed_kept" : "seed", { seed })}
    </button>
  `;
}

function Anew() {
  const names = beginningAnew(settings.value);
  return names.length === 0 ? null : html`<p>${t("begin_anew", { names: names.join(", ") })}</p>`;
}
