/** The draw: a line from 0 to 1 with the token's interval, and the number that fell into it. */

import { html } from "../../app/html.js";
import { showDraw } from "../../text/numbers.js";
import { t } from "./texts.js";

/** @param {{ step: import("../../text/token.js").Step, origin: string }} props */
export function DrawLine({ step, origin }) {
  const { draw } = step;
  return html`
    <div class="draw">
      <h3>${t("draw")}</h3>
      ${draw === null ? html`<p>${origin === "chosen" ? t("draw_reader") : t("draw_greedy")}</p>` : html`<${Line} draw=${draw} />`}
    </div>
  `;
}

/** @param {{ draw: import("../../text/token.js").Draw }} props */
function Line({ draw }) {
  const [low, uniform, high] = showDraw(draw);
  const across = { left: `${draw.low * 100}%`, width: `${(draw.high - draw.low) * 100}%` };
  return html`
    <p class="draw-figures"><b>${uniform}</b> ${t("in_interval", { low, high })}</p>
    <div class="draw-line" dir="ltr" aria-hidden="true">
      <span class="draw-interval" style=${across}></span>
      <span class="draw-number" style=${{ left: `${draw.uniform * 100}%` }}></span>
      <span class="draw-end">0</span><span class="draw-end">1</span>
    </div>
  `;
}
