/** The region "Token": how the token that is looked at came to be chosen. */

import { computed } from "@preact/signals";
import { fetchedLater } from "../../app/fetched_later.js";
import { html } from "../../app/html.js";
import { focus } from "../../state/store.js";
import { figuresOf } from "../../text/figures.js";
import { showCount } from "../../text/numbers.js";
import { nameOf, showBytes } from "../../text/visible.js";
import { goTo, hovered, lookedAt, page, shownTokens } from "../text/text_state.js";
import { boxOf } from "../../text/blocks.js";
import { Alternatives } from "./alternatives.js";
import { DrawLine } from "./draw_line.js";
import { Stages } from "./stages.js";
import { Terms } from "./terms.js";
import { TokenName } from "./token_name.js";
import { t } from "./texts.js";

const StoryText = fetchedLater(() => import("./story_text.js").then((module) => module.StoryText));

/** The token that is looked at. */
const shown = computed(() => (lookedAt.value === null ? null : shownTokens.value[lookedAt.value]));

/**
 * @param {{ setBias?: import("./bias.js").SetBias }} props `setBias` biases tokens in the settings; without
 *   it the panel offers none
 */
export function TokenPanel({ setBias }) {
  const token = shown.value;
  const index = lookedAt.value;
  return html`
    <section class=${`token-panel sheet${focus.value === null ? "" : " is-kept"}`} aria-label=${t("token")}>
      ${token === null || index === null ? html`<div><h2>${t("token")}</h2><p class="token-hint">${t("hint")}</p></div>` : html`<${Choice} token=${token} index=${index} setBias=${setBias} />`}
    </section>
  `;
}

/** @param {{ token: import("../../text/token.js").Token, index: number, setBias?: import("./bias.js").SetBias }} props */
function Choice({ token, index, setBias }) {
  return html`
    <${Head} token=${token} index=${index} />
    ${token.step === null
      ? html`<p class="token-hint">${t(token.origin === "typed" ? "typed" : "untold")}</p>`
      : html`
          <${Figures} token=${token} />
          <${Terms} entropy=${token.step.stages[0].entropy} />
          <${Stages} step=${token.step} />
          <${DrawLine} step=${token.step} origin=${token.origin} />
          <${Alternatives} step=${token.step} index=${index} setBias=${setBias} />
          <div class="story">
            <h3>${t("words")}</h3>
            <${StoryText} token=${token} />
          </div>
        `}
  `;
}

/** @param {{ token: import("../../text/token.js").Token, index: number }} props */
function Head({ token, index }) {
  const last = shownTokens.value.length - 1;
  return html`
    <header class="token-head">
      <h2><span class="token-title">${t("token")} </span><${TokenName} token=${token} /></h2>
      <p>${placeOf(token, index)}</p>
      <div class="token-moves">
        <button type="button" class="quiet" aria-label=${t("before")} title=${t("before")} aria-disabled=${index === 0} onClick=${() => keep(index - 1)}>‹</button>
        <button type="button" class="quiet" aria-label=${t("after")} title=${t("after")} aria-disabled=${index >= last} onClick=${() => keep(index + 1)}>›</button>
        ${focus.value !== null && html`<button type="button" class="quiet" aria-label=${t("release")} title=${t("release")} onClick=${release}>×</button>`}
      </div>
    </header>
  `;
}

/** @param {number} index */
function keep(index) {
  if (shownTokens.value[index] === undefined) return;
  hovered.value = null;
  focus.value = index;
}

function release() {
  const index = focus.value;
  if (index !== null) goTo(index); // the keyboard goes on from there
  focus.value = null;
}

/**
 * Where the token stands, and which part of a character it is.
 *
 * @param {import("../../text/token.js").Token} token
 * @param {number} index
 */
function placeOf(token, index) {
  const place = t("place", { number: showCount(index + 1), all: showCount(shownTokens.value.length), id: token.id });
  const box = boxOf(page.value, index);
  if (box === null || box.tokens.length === 1) return place;
  const part = t("part", { part: index - box.start + 1, parts: box.tokens.length, text: nameOf({ text: box.text, bytes: [] }) });
  return `${place} · ${part} (${showBytes(token.bytes)})`;
}

/** @param {{ token: import("../../text/token.js").Token }} props */
function Figures({ token }) {
  const figures = figuresOf(token);
  return html`
    <dl class="figures">
      <div><dt>${t("probability")}</dt><dd>${figures.probability}</dd></div>
      <div><dt>${t("rank")}</dt><dd>${figures.rank}</dd></div>
      <div><dt>${t("surprisal")}</dt><dd>${figures.surprisal} nats</dd></div>
      <div><dt>${t("entropy")}</dt><dd>${figures.entropy} nats</dd></div>
    </dl>
  `;
}
