/** What is compared, and what has come of it. */

import { batch, signal } from "@preact/signals";
import { saidOfError } from "../app/error_words.js";
import { announce } from "../app/notices.js";
import { stream } from "../api/stream.js";
import { inFrames } from "../views/frames.js";
import { prompt, promptFields } from "../views/prompt.js";
import { t as shared } from "../views/texts.js";
import { FIRST_COLUMNS, LETTERS, blame, readSeeds, strategiesOf } from "./columns.js";
import { withChunk } from "./runs.js";
import { t } from "./texts.js";

/**
 * @typedef {import("./columns.js").Column} Column
 * @typedef {import("./runs.js").Run} Run
 *
 * @typedef {Object} Asked what the texts on the page were asked for with
 * @property {import("../views/prompt.js").Prompt} prompt
 * @property {readonly Column[]} columns
 *
 * @typedef {{ letter: string | null, message: string }} Problem
 */

export const columns = signal(FIRST_COLUMNS);

/** Tokens of each text at most. */
export const length = signal(/** @type {number | undefined} */ (60));

/** The seeds, as the reader wrote them. */
export const seeds = signal("1");

/** The letter of the column that the others are held against. */
export const base = signal("A");

/** What the texts are of; null: there are none. */
export const asked = signal(/** @type {Asked | null} */ (null));

/** The texts of each column. */
export const runs = Object.fromEntries(
  LETTERS.map((letter) => [letter, signal(/** @type {readonly Run[]} */ ([]))]),
);

/** The whole comparison, once it has ended. */
export const whole = signal(/** @type {any} */ (null));

export const isRunning = signal(false);

/** What is wrong with what was asked for. */
export const problem = signal(/** @type {Problem | null} */ (null));

let abort = new AbortController();

/** End the comparison; what has come stays. */
export function stop() {
  abort.abort();
}

/** Write the texts of all columns. */
export async function compare() {
  if (isRunning.value) return;
  const wanted = readSeeds(seeds.value);
  if (wanted === null) {
    problem.value = { letter: null, message: t("bad_seeds") };
    return;
  }
  const request = { prompt: prompt.value, columns: columns.value };
  abort = new AbortController();
  batch(() => begin(request));
  try {
    await inFrames(stream("v1/foretell/compare", bodyOf(request, wanted), abort.signal), take);
    announce(shared("done"));
  } catch (error) {
    if (abort.signal.aborted) announce(shared("stopped"));
    else problem.value = blame(saidOfError(/** @type {import("../api/http.js").ApiError} */ (error)));
  } finally {
    isRunning.value = false;
  }
}

/** @param {Asked} request */
function begin(request) {
  asked.value = request;
  whole.value = null;
  problem.value = null;
  isRunning.value = true;
  for (const letter of LETTERS) runs[letter].value = [];
  if (request.columns.every((one) => one.letter !== base.value)) base.value = request.columns[0].letter;
}

/**
 * @param {Asked} request
 * @param {number | number[]} wanted seeds
 */
function bodyOf(request, wanted) {
  return {
    ...promptFields(request.prompt),
    strategies: strategiesOf(request.columns),
    seeds: wanted,
    max_new_tokens: length.value ?? null,
    stream: true,
  };
}

/** @param {any[]} events */
function take(events) {
  batch(() => {
    for (const event of events) {
      if (event.object !== "foretell.compare.chunk") whole.value = event;
      else runs[event.strategy].value = withChunk(runs[event.strategy].value, event);
    }
  });
}

/**
 * What the whole comparison says of a column; null until it is there.
 *
 * @param {string} letter
 * @returns {any}
 */
export function resultOf(letter) {
  return whole.value?.results.find((/** @type {any} */ one) => one.name === letter) ?? null;
}
