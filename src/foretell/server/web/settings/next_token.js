/** The next token before anything is written: how probable the model finds each, and what the settings make of it. */

import { html } from "../app/html.js";
import { writing } from "../state/generation.js";
import { TokenName } from "../write/token/token_name.js";
import { showCount, showEntropy, showProbability } from "../text/numbers.js";
import { checked, isLooking, next, problem } from "./outlook.js";
import { rowsOf, scaleOf } from "./rows.js";
import { t } from "./texts.js";

/** Tokens that are shown: as many as an eye compares. */
const NUM_ROWS = 8;

export function NextToken() {
  return html`
    <section class="outlook" aria-labelledby="outlook-head" aria-busy=${isLooking.value}>
      <h3 id="outlook-head">${t("next_token")}</h3>
      ${next.value === null ? html`<p class="outlook-empty">${t("next_empty")}</p>` : html`<${Picture} next=${next.value} />`}
      ${writing.value !== null && html`<p class="outlook-empty">${t("writing")}</p>`}
      <${Verdict} />
    </section>
  `;
}

/** @param {{ next: import("./outlook.js").Next }} props */
function Picture({ next }) {
  const rows = rowsOf(next.tokens, NUM_ROWS);
  const scale = scaleOf(rows);
  return html`
    <table class="outlook-table" data-old=${problem.value !== null}>
      <caption class="unseen">${t("next_caption")}</caption>
      <thead>
        <tr>
          <th scope="col"><span class="unseen">${t("token")}</span></th>
          <th scope="col" class="outlook-bars"><span class="unseen">${t("with_settings")}</span></th>
          <th scope="col" class="outlook-number">${t("by_model")}</th>
          <th scope="col" class="outlook-number">${t("with_settings")}</th>
        </tr>
      </thead>
      <tbody>
        ${rows.map((row) => html`<${Row} key=${row.token_id} row=${row} scale=${scale} />`)}
      </tbody>
    </table>
    <p class="outlook-figures"><${Figures} next=${next} /></p>
  `;
}

/** @param {{ row: import("./outlook.js").NextToken, scale: number }} props */
function Row({ row, scale }) {
  const isCut = row.final_probability === 0;
  const width = (/** @type {number} */ share) => ({ inlineSize: `${(100 * share) / scale}%` });
  return html`
    <tr data-cut=${isCut}>
      <th scope="row" class="outlook-name" >
        <${TokenName} token=${{ text: row.token, bytes: row.bytes, id: row.token_id }} />
      </th>
      <td class="outlook-bars" aria-hidden="true">
        <span class="outlook-bar outlook-before" style=${width(row.probability)}></span>
        <span class="outlook-bar outlook-after" style=${width(row.final_probability)}></span>
      </td>
      <td class="outlook-number">${showProbability(row.probability)}</td>
      <td class="outlook-number">${isCut ? t("cut") : showProbability(row.final_probability)}</td>
    </tr>
  `;
}

/** @param {{ next: import("./outlook.js").Next }} props */
function Figures({ next }) {
  const all = showCount(next.vocab_size);
  const count = showCount(next.candidates);
  const entropy = { before: showEntropy(next.entropy), after: showEntropy(next.final_entropy) };
  return html`
    <span>${next.candidates === next.vocab_size ? t("all_left", { all }) : t("left", { count, all })}</span>
    <span>${t("entropy", entropy)}</span>
  `;
}

/** Whether tokens are drawn; where the settings make no sense, why not, in the server's words. */
function Verdict() {
  const error = problem.value;
  if (error === null) {
    const said = checked.value && t(checked.value.is_sampling ? "sampling" : "greedy");
    return html`<p class="outlook-verdict" role="status">${said}</p>`;
  }
  return html`
    <p class="outlook-verdict outlook-wrong" role="status">
      <span>${error.status === 0 ? t("unknown_next") : error.message}</span>
      ${error.param && html`<button type="button" class="quiet" onClick=${() => showField(String(error.param))}>${t("show_field")}</button>`}
    </p>
    ${next.value !== null && html`<p class="outlook-verdict">${t("old")}</p>`}
  `;
}

/** @param {string} name of the setting whose field is to be seen */
function showField(name) {
  const field = document.querySelector(`[data-setting="${CSS.escape(name)}"]`);
  field?.scrollIntoView({ block: "center" });
  /** @type {HTMLElement | null | undefined} */ (field?.querySelector("input, select, textarea"))?.focus();
}
