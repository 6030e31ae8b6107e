/** Writing a branch: the one request that runs, and what it brings. */

import { signal } from "@preact/signals";
import { json } from "../api/http.js";
import { stream } from "../api/stream.js";
import { tokensOf } from "../text/token.js";
import { settings, tree } from "./store.js";
import { tokensOfBranch, withBranch, withTokens } from "./tree.js";

/** Alternatives that are reported beside each token. */
export const NUM_ALTERNATIVES = 10;

/** The id of the branch that is being written; null: none is. */
export const writing = signal(/** @type {string | null} */ (null));

let abort = new AbortController();

/** End the writing; what has come stays. */
export function stop() {
  abort.abort();
}

/**
 * Go on at the end of the branch that is shown, by the ids of all before.
 *
 * Draws are by seed and position: with the same seed a text goes on as if it had never been
 * interrupted.
 *
 * @param {{ num_tokens?: number }} [wishes] at most so many tokens, whatever the settings say
 */
export async function goOn({ num_tokens } = {}) {
  if (writing.value !== null) return;
  const id = tree.value.current;
  writing.value = id;
  abort = new AbortController();
  try {
    const ids = await promptIds(abort.signal);
    const body = requestBody([...ids, ...tokensOfBranch(tree.value, id).map((token) => token.id)], num_tokens);
    tree.value = withBranch(tree.value, id, { settings: settings.value, finish: null });
    await write(id, body);
  } catch (error) {
    if (!abort.signal.aborted) throw error;
    end(id, "aborted", null);
  } finally {
    writing.value = null;
  }
}

/**
 * @param {string} id
 * @param {object} body
 */
async function write(id, body) {
  for await (const event of stream("v1/foretell/explain", body, abort.signal)) {
    if (event.object === "foretell.explain.chunk") tree.value = withTokens(tree.value, id, tokensOf(event));
    else end(id, event.finish_reason, event.stop_reason);
  }
}

/**
 * @param {string} id
 * @param {string} reason
 * @param {any} stopReason
 */
function end(id, reason, stopReason) {
  if (!tree.value.branches.some((one) => one.id === id)) return;
  tree.value = withBranch(tree.value, id, { finish: { reason, stop: stopReason } });
}

/**
 * The body of a request for the tokens that follow these ids.
 *
 * @param {number[]} ids
 * @param {number} [num_tokens]
 */
export function requestBody(ids, num_tokens) {
  const length = num_tokens === undefined ? {} : { max_new_tokens: num_tokens };
  return { prompt: ids, ...settings.value, ...length, stream: true, logprobs: NUM_ALTERNATIVES };
}

/**
 * The ids of the tree's prompt, asked for once.
 *
 * @param {AbortSignal} [signal]
 * @returns {Promise<number[]>}
 */
export async function promptIds(signal) {
  const { prompt } = tree.value;
  if (prompt.ids !== null) return prompt.ids;
  const body = prompt.mode === "chat" ? { messages: prompt.messages } : { prompt: prompt.text };
  const { tokens: ids } = await json("tokenize", body, signal);
  if (tree.value.prompt === prompt) tree.value = { ...tree.value, prompt: { ...prompt, ids } };
  return ids;
}
