/** One text of a column, shaded token by token; arrow keys and clicks look at one of them. */

import { useRef, useState } from "preact/hooks";
import { html } from "../app/html.js";
import { EMPTY_PAGE, boxStartOf, pageOf } from "../text/blocks.js";
import { showProbability } from "../text/numbers.js";
import { nameOf } from "../text/visible.js";
import { takeIntoWrite } from "../views/take.js";
import { t as shared } from "../views/texts.js";
import { Block } from "./block.js";
import { asked, base } from "./state.js";
import { t } from "./texts.js";

/** @typedef {import("./runs.js").Run} Run */

/** @param {{ letter: string, place: number, run: Run, parts: number | null }} props */
export function RunText({ letter, place, run, parts }) {
  const page = useRef(EMPTY_PAGE);
  page.current = pageOf(run.tokens, page.current);
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const name = run.seed === null ? t("run", { letter }) : t("run_seed", { letter, seed: run.seed });
  const mark = parts === null || parts >= run.tokens.length ? null : boxStartOf(page.current, parts);
  const look = (/** @type {number} */ index) => setAt(boxStartOf(page.current, index));
  return html`
    <section class="run" aria-label=${name}>
      <p class="run-head">
        <span>${run.seed === null ? t("no_draw") : t("seed", { seed: run.seed })}</span>${" "}
        <${Same} letter=${letter} run=${run} parts=${parts} />
      </p>
      <div
        class="run-text"
        role="group"
        tabindex="0"
        dir="auto"
        aria-label=${`${name}. ${t("look")}`}
        aria-busy=${run.finish_reason === null}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => walk(event, run, at, setAt)}
        onClick=${(/** @type {Event} */ event) => clicked(event, look)}
      >
        ${page.current.blocks.map(
          (block) => html`<${Block} key=${block.start} block=${block} mark=${inside(block, mark)} at=${inside(block, at)} base=${base.value} />`,
        )}
      </div>
      <div class="run-foot">
        <p class="run-token" aria-live="polite">${at === null ? "" : tokenLine(run, at)}</p>
        <button type="button" class="quiet" disabled=${run.tokens.length === 0} onClick=${() => take(letter, place, run)}>${shared("take")}</button>
      </div>
    </section>
  `;
}

/** @param {{ letter: string, run: Run, parts: number | null }} props */
function Same({ letter, run, parts }) {
  if (letter === base.value) return null;
  const values = { base: base.value, position: (parts ?? 0) + 1 };
  if (parts !== null) return html`<span class="run-parts">${t(parts < run.tokens.length ? "parts_at" : "parts_end", values)}</span>`;
  return html`<span>${t(run.finish_reason === null ? "same_so_far" : "same", values)}</span>`;
}

/**
 * @param {import("../text/blocks.js").Block} block
 * @param {number | null} index null in all blocks but the one that has it, which alone is drawn anew
 */
function inside(block, index) {
  return index !== null && block.start <= index && index < block.end ? index : null;
}

/**
 * @param {KeyboardEvent} event
 * @param {Run} run
 * @param {number | null} at
 * @param {(at: number | null) => void} setAt
 */
function walk(event, run, at, setAt) {
  const last = run.tokens.length - 1;
  const here = at ?? -1;
  const moves = { ArrowRight: here + 1, ArrowLeft: here < 0 ? last : here - 1, Home: 0, End: last };
  if (event.key === "Escape") setAt(null);
  if (!(event.key in moves) || last < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  event.stopPropagation();
  setAt(Math.max(0, Math.min(last, moves[/** @type {keyof typeof moves} */ (event.key)])));
}

/**
 * @param {Event} event
 * @param {(index: number) => void} look
 */
function clicked(event, look) {
  const token = /** @type {Element} */ (event.target).closest("[data-index]");
  if (token !== null) look(Number(token.getAttribute("data-index")));
}

/**
 * @param {Run} run
 * @param {number} at
 */
function tokenLine(run, at) {
  const token = run.tokens[Math.min(at, run.tokens.length - 1)];
  return t("token_of", {
    token: `“${nameOf(token)}”`,
    probability: token.logprob === null ? "–" : showProbability(Math.exp(token.logprob)),
    rank: token.rank ?? "–",
    position: at + 1,
    count: run.tokens.length,
  });
}

/**
 * @param {string} letter
 * @param {number} place
 * @param {Run} run
 */
function take(letter, place, run) {
  const request = asked.value;
  const column = request?.columns.find((one) => one.letter === letter);
  if (request === null || column === undefined) return;
  const settings = run.seed === null ? column.settings : { ...column.settings, seed: run.seed };
  const reason = run.finish_reason ?? "aborted";
  const finish = { reason, stop: null };
  const isRun = (settings.num_beams ?? 1) === 1;
  takeIntoWrite({ prompt: request.prompt, tokens: [...run.tokens], settings, finish, isRun });
}
