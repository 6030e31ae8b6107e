/** The figures of all columns, each explained. */

import { html } from "../app/html.js";
import { seriesOf } from "./columns.js";
import { FIGURES, barsOf, showFigure } from "./figures.js";
import { asked, whole } from "./state.js";
import { t } from "./texts.js";

export function FiguresTable() {
  if (asked.value === null) return null;
  return html`
    <section class="figures" aria-labelledby="figures-head">
      <h2 id="figures-head">${t("figures")}</h2>
      <p class="figures-intro">${t("figures_intro")}</p>
      ${whole.value === null ? html`<p class="figures-later">${t("figures_later")}</p>` : html`<${Table} results=${whole.value.results} />`}
    </section>
  `;
}

/** @param {{ results: any[] }} props */
function Table({ results }) {
  return html`
    <div class="figures-table" tabindex="0" role="group" aria-label=${t("figures")}>
      <table>
        <thead>
          <tr>
            <th scope="col"><span class="unseen">${t("figure")}</span></th>
            ${results.map(({ name }) => html`<th key=${name} scope="col" class=${`series-${seriesOf(name)}`}><span class="letter">${name}</span></th>`)}
          </tr>
        </thead>
        <tbody>
          ${FIGURES.map((name) => html`<${Row} key=${name} name=${name} results=${results} />`)}
          <tr>
            <${Name} name="num_runs" />
            ${results.map(({ name, runs }) => html`<td key=${name}>${runs.length}</td>`)}
          </tr>
        </tbody>
      </table>
    </div>
  `;
}

/** @param {{ name: import("./figures.js").FigureName, results: any[] }} props */
function Row({ name, results }) {
  const values = results.map(({ figures }) => figures[name]);
  const bars = barsOf(name, values);
  return html`
    <tr data-figure=${name}>
      <${Name} name=${name} />
      ${results.map(
        (result, index) => html`
          <td key=${result.name} class=${`series-${seriesOf(result.name)}`}>
            <span class="figure-value">${showFigure(name, values[index])}</span>
            <span class="figure-bar" aria-hidden="true"><span style=${{ width: `${bars[index] * 100}%` }}></span></span>
          </td>
        `,
      )}
    </tr>
  `;
}

/** @param {{ name: import("./figures.js").FigureName | "num_runs" }} props */
function Name({ name }) {
  const help = /** @type {keyof typeof import("./texts.js").texts.en} */ (`${name}_help`);
  return html`
    <th scope="row">
      <span class="figure-name">${t(name)}</span>
      <span class="figure-help">${t(help)}</span>
    </th>
  `;
}
