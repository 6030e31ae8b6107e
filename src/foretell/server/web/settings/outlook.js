/**
 * What the settings make of the next token, before anything is written: asked for a moment after each
 * change; the latest wins.
 *
 * @typedef {Object} NextToken as `/v1/foretell/next` tells it
 * @property {number} token_id
 * @property {string} token
 * @property {number[]} bytes
 * @property {number} probability the model's own
 * @property {number} final_probability with the settings
 *
 * @typedef {Object} Next
 * @property {NextToken[]} tokens
 * @property {number} entropy
 * @property {number} final_entropy
 * @property {number} candidates
 * @property {number} vocab_size
 *
 * @typedef {Object} Checked what the settings come to
 * @property {Record<string, any>} config in force
 * @property {boolean} is_sampling
 * @property {string[]} warnings
 * @property {Record<string, any>} of the settings that were looked at
 */

import { effect, signal } from "@preact/signals";
import { json } from "../api/http.js";
import { promptBody, promptIds, writing } from "../state/generation.js";
import { forModel } from "../state/server.js";
import { draft, isPromptChanged, settings, tokens } from "../state/store.js";
import { guide } from "./guide.js";

/** Milliseconds after which a change is looked at: less than what is felt as a wait. */
const PAUSE = 120;

/** Tokens that are asked for: a bias may bring one up from far below. */
const NUM_TOKENS = 100;

/** The last distribution that came; null: there is none of this text. */
export const next = signal(/** @type {Next | null} */ (null));

/** What the settings came to, when they last made sense. */
export const checked = signal(/** @type {Checked | null} */ (null));

/** Why the settings make no sense, or nothing could be told of the next token; null: all is well. */
export const problem = signal(/** @type {import("../api/http.js").ApiError | null} */ (null));

/** Whether an answer is awaited. */
export const isLooking = signal(false);

let abort = new AbortController();

/**
 * Look at the next token whenever the settings or the text change; never while a text is written.
 *
 * @returns {() => void} ends it
 */
export function followSettings() {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const end = effect(() => {
    clearTimeout(timer);
    if (writing.value !== null || guide.value === null) return; // nor heeds each token that is written
    const wanted = settings.value;
    const prompt = draft.value;
    const written = isPromptChanged.value ? [] : tokens.value.map((token) => token.id);
    timer = setTimeout(() => look(wanted, prompt, written), PAUSE);
  });
  return () => {
    clearTimeout(timer);
    abort.abort();
    end();
  };
}

/**
 * @param {Record<string, any>} wanted settings
 * @param {import("../state/tree.js").Prompt} prompt
 * @param {number[]} written the ids of the tokens after it
 */
async function look(wanted, prompt, written) {
  abort.abort();
  abort = new AbortController();
  const { signal } = abort;
  isLooking.value = true;
  try {
    const settling = json("v1/foretell/settings", forModel(wanted), signal);
    const [settled, found] = await Promise.all([settling, nextOf(wanted, prompt, written, signal)]);
    if (signal.aborted) return;
    checked.value = { ...settled, of: wanted };
    next.value = found;
    problem.value = null;
  } catch (error) {
    if (!signal.aborted) problem.value = /** @type {import("../api/http.js").ApiError} */ (error);
  } finally {
    if (!signal.aborted) isLooking.value = false;
  }
}

/**
 * The distribution of the token after a text; null where there is no text yet.
 *
 * @param {Record<string, any>} wanted
 * @param {import("../state/tree.js").Prompt} prompt
 * @param {number[]} written
 * @param {AbortSignal} signal
 * @returns {Promise<Next | null>}
 */
async function nextOf(wanted, prompt, written, signal) {
  const texts = prompt.mode === "chat" ? prompt.messages.map((message) => message.content) : [prompt.text];
  if (texts.join("") === "") return null;
  const text = written.length > 0 ? { prompt: [...(await promptIds(signal)), ...written] } : promptBody(prompt);
  return json("v1/foretell/next", forModel({ ...text, top: NUM_TOKENS, ...heeded(wanted) }), signal);
}

/** Settings that act where a text ends for its length, which the view is not told. */
const AT_THE_END = ["forced_eos_token_id"];

/**
 * The settings that have to do with the next token: the view refuses the rest.
 *
 * @param {Record<string, any>} wanted
 */
function heeded(wanted) {
  const passed = new Set(guide.value?.settings.filter((topic) => topic.not_for.includes("next")).map((topic) => topic.name));
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => !passed.has(name) && !AT_THE_END.includes(name)));
}
