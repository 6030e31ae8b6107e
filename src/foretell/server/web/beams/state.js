/** A search, its settings, and which of its steps is looked at. */

import { batch, computed, signal } from "@preact/signals";
import { saidOfError } from "../app/error_words.js";
import { announce } from "../app/notices.js";
import { stream } from "../api/stream.js";
import { inFrames } from "../views/frames.js";
import { prompt, promptFields } from "../views/prompt.js";
import { t as shared } from "../views/texts.js";
import { NOTHING, grown } from "./growth.js";
import { byIdOf, layoutOf } from "./layout.js";

/**
 * @typedef {import("./growth.js").Grown} Grown
 * @typedef {Record<string, any>} Settings
 */

/** @type {import("@preact/signals").Signal<Settings>} */
export const settings = signal({ num_beams: 3, max_new_tokens: 6 });

/** What the tree on the page was asked for with; null: there is none. */
export const asked = signal(/** @type {{ prompt: import("../views/prompt.js").Prompt, settings: Settings } | null} */ (null));

/** The tree after each step, the bare prompt first. */
export const history = signal(/** @type {readonly Grown[]} */ ([NOTHING]));

/** The whole, once the search has ended. */
export const whole = signal(/** @type {any} */ (null));

export const isRunning = signal(false);

/** What is wrong with what was asked for; "": nothing. */
export const problem = signal("");

/** How many steps are shown; null: all there are. */
export const wanted = signal(/** @type {number | null} */ (null));

/** A search of more tokens in all is drawn without those that came to nothing, unless they are wanted. */
const MANY = 200;

/** Whether the reader wants candidates that came to nothing drawn; null: they are unless there are many. */
export const wantsFallen = signal(/** @type {boolean | null} */ (null));

export const withFallen = computed(() => wantsFallen.value ?? sizeOf(asked.value?.settings ?? {}) <= MANY);

/** @param {Settings} settings */
function sizeOf({ num_beams = 5, max_new_tokens = 5 }) {
  return num_beams * max_new_tokens;
}

/** The place in focus, and the one under the pointer. */
export const focus = signal(/** @type {string | null} */ (null));
export const hovered = signal(/** @type {string | null} */ (null));

/** How many steps there are. */
export const numSteps = computed(() => history.value.length - 1);

/** How many are shown. */
export const shownSteps = computed(() => Math.min(wanted.value ?? numSteps.value, numSteps.value));

/** The tree as it stood then. */
export const shown = computed(() => history.value[shownSteps.value]);

/** Where all there is stands; what is not shown yet has its place already. */
const whereAll = computed(() => layoutOf(history.value[numSteps.value].steps, { withFallen: withFallen.value }));

/** Where what is shown stands, with what had become of it by then. */
export const layout = computed(() => {
  const { places, width, height } = whereAll.value;
  const { steps } = shown.value;
  const here = places
    .filter(({ step }) => step < steps.length)
    .map((one) => (one.candidate === null ? one : { ...one, candidate: steps[one.step].beams[one.beam].candidates[one.index] }));
  return { places: here, byId: byIdOf(here), width, height };
});

/** The exponent of the length in a score. */
export const penalty = computed(() => asked.value?.settings.length_penalty ?? 1);

let abort = new AbortController();

/** End the search; what has come stays. */
export function stop() {
  abort.abort();
}

/** Search from the prompt. */
export async function search() {
  if (isRunning.value) return;
  const request = { prompt: prompt.value, settings: settings.value };
  abort = new AbortController();
  batch(() => begin(request));
  try {
    const body = { ...promptFields(request.prompt), ...request.settings, stream: true };
    await inFrames(stream("v1/foretell/beams", body, abort.signal), take);
    announce(shared("done"));
  } catch (error) {
    if (abort.signal.aborted) announce(shared("stopped"));
    else problem.value = saidOfError(/** @type {import("../api/http.js").ApiError} */ (error));
  } finally {
    isRunning.value = false;
  }
}

/** @param {{ prompt: import("../views/prompt.js").Prompt, settings: Settings }} request */
function begin(request) {
  asked.value = request;
  history.value = [NOTHING];
  whole.value = null;
  problem.value = "";
  wanted.value = focus.value = hovered.value = null;
  isRunning.value = true;
}

/** @param {any[]} events */
function take(events) {
  batch(() => {
    for (const event of events) {
      if (event.object !== "foretell.beams.step") whole.value = event;
      else history.value = [...history.value, grown(history.value[history.value.length - 1], event)];
    }
  });
}
