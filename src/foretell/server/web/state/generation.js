/** Writing a branch: the one request that runs, and what it brings. */

import { computed, signal } from "@preact/signals";
import { json } from "../api/http.js";
import { batches } from "../api/stream.js";
import { tokensOf } from "../text/token.js";
import { joined } from "./runs.js";
import { forModel, meetAgain, serverModel } from "./server.js";
import { changePrompt, changeTree, draft, isPromptChanged, settings, tree, treeOf } from "./store.js";
import { t } from "./texts.js";
import * as trees from "./tree.js";

/**
 * @typedef {import("./tree.js").Tree} Tree
 * @typedef {import("./tree.js").Prompt} Prompt
 */

/** Alternatives that are reported beside each token. */
export const NUM_ALTERNATIVES = 10;

/** Tokens that are written at most, where the reader states no number. */
export const DEFAULT_LENGTH = 50;

/** The id of the branch that is being written; null: none is. */
export const writing = signal(/** @type {string | null} */ (null));

/** What the server said of the last request's settings: legal, yet unlikely to be meant. */
export const warnings = signal(/** @type {string[]} */ ([]));

/** The seed of what the branch that is shown was last written with; null where nothing was drawn. */
export const lastSeed = computed(() => seedOfBranch(tree.value, tree.value.current));

/** Why the text that is shown cannot be gone on with: another model wrote it; null: it can. */
export const foreignness = computed(() => {
  const [{ model }, here] = [tree.value, serverModel.value];
  return model === "" || here === "" || model === here ? null : t("foreign", { model, here });
});

/** Whether the last text written was there already, and so was not kept twice. */
export const isTwin = signal(false);

let abort = new AbortController();

/** End the writing; what has come stays. */
export function stop() {
  abort.abort();
}

/**
 * Write a text from the prompt: in a tree of its own where the prompt has changed, else on a new
 * branch from the prompt's end, unless there is an empty one.
 */
export async function generate() {
  if (writing.value !== null) return;
  if (isPromptChanged.value || foreignness.value !== null) tree.value = trees.newTree({ ...draft.value, ids: null });
  await writeOn(leaf(0), { seed: null });
}

/**
 * Write the text that is shown again from where the model wrote it, with other draws: from the last
 * token before it that the reader chose or typed.
 */
export async function generateAnew() {
  if (writing.value !== null) return;
  await writeOn(leaf(startOfWriting(tree.value, tree.value.current)), { seed: null, isAnew: true });
}

/**
 * Go on at the end of the branch that is shown, by the ids of all before.
 *
 * Draws are by seed and position: with the same seed, which it keeps, a text goes on as if it had
 * never been interrupted.
 *
 * @param {{ num_tokens?: number }} [wishes] at most so many tokens, whatever the settings say
 */
export async function goOn({ num_tokens } = {}) {
  if (writing.value !== null) return;
  await writeOn(tree.value, { num_tokens, seed: lastSeed.value });
}

/**
 * The tree with an empty branch that leaves the one that is shown at a position.
 *
 * @param {number} start
 */
function leaf(start) {
  const { current } = tree.value;
  const branch = trees.branchOf(tree.value, current);
  if (branch.tokens.length === 0 && branch.start === start) return tree.value;
  return trees.withFork(tree.value, current, start, [], settings.value);
}

/**
 * Where the last stretch of tokens begins that the model chose.
 *
 * @param {Tree} from
 * @param {string} id
 */
export function startOfWriting(from, id) {
  const tokens = trees.tokensOfBranch(from, id);
  const last = tokens.findLastIndex((token) => token.origin !== "generated");
  return last + 1 < tokens.length ? Math.max(last + 1, ownStart(from, id)) : tokens.length;
}

/**
 * @param {Tree} from
 * @param {string} id
 */
function ownStart(from, id) {
  const branch = trees.branchOf(from, id);
  return branch.tokens.length > 0 ? branch.start : 0;
}

/**
 * @typedef {Object} Wishes
 * @property {number} [num_tokens] at most so many
 * @property {number | null} seed null: that of the settings, or the server draws one
 * @property {boolean} [isAnew] the server draws a seed, whatever the settings say
 */

/**
 * Write at the end of the branch that a tree shows. Where nothing comes of it, the page shows what
 * it showed before.
 *
 * @param {Tree} begun
 * @param {Wishes} wishes
 */
async function writeOn(begun, wishes) {
  if (foreignness.value !== null) throw new Error(foreignness.value);
  const before = tree.value;
  const id = begun.current;
  tree.value = { ...begun, model: serverModel.value };
  writing.value = id;
  isTwin.value = false;
  abort = new AbortController();
  try {
    const ids = await promptIds(abort.signal);
    const tokens = trees.tokensOfBranch(begun, id);
    const body = askedFor([...ids, ...tokens.map((token) => token.id)], wishes);
    changeTree(begun.id, (now) => withRun(now, id, tokens.length, body));
    await write(begun.id, id, body);
  } catch (error) {
    if (!abort.signal.aborted) throw leave(begun.id, id, /** @type {Error} */ (error));
    end(begun.id, id, { reason: "aborted", stop: null });
  } finally {
    changeTree(begun.id, (now) => withoutTwin(withoutLeaf(now, id, before), id, before));
    writing.value = null;
  }
}

/**
 * @param {string} treeId
 * @param {string} id
 * @param {Error} error
 */
function leave(treeId, id, error) {
  meetAgain(error);
  end(treeId, id, { reason: "error", stop: error.message });
  return error;
}

/**
 * The tree without the branch, if nothing was written on it and it has not been there before.
 *
 * @param {Tree} now
 * @param {string} id
 * @param {Tree} before
 */
function withoutLeaf(now, id, before) {
  if (!trees.hasBranch(now, id) || before.id !== now.id || trees.hasBranch(before, id)) return now;
  if (trees.branchOf(now, id).tokens.length > 0) return now;
  const back = trees.hasBranch(now, before.current) ? before.current : now.branches[0].id;
  const kept = trees.withoutBranch(now, id);
  return now.current === id ? { ...kept, current: back } : kept;
}

/**
 * The tree without the branch, if it is new and yet says what another one says: that is shown.
 *
 * @param {Tree} now
 * @param {string} id
 * @param {Tree} before
 */
function withoutTwin(now, id, before) {
  if (!trees.hasBranch(now, id) || before.id !== now.id || trees.hasBranch(before, id)) return now;
  const twin = trees.twinOf(now, id);
  if (twin === undefined) return now;
  isTwin.value = true;
  const kept = trees.withoutBranch(now, id);
  return now.current === id ? { ...kept, current: twin.id } : kept;
}

/**
 * @param {number[]} ids
 * @param {Wishes} wishes
 * @returns {Record<string, any>}
 */
function askedFor(ids, { num_tokens, seed, isAnew = false }) {
  const body = requestBody(ids, num_tokens);
  if (isAnew) delete body.seed;
  return seed === null || isSet(settings.value.seed) ? body : { ...body, seed };
}

/** @param {any} value */
function isSet(value) {
  return value !== undefined && value !== null;
}

/**
 * @param {Tree} now
 * @param {string} id
 * @param {number} start
 * @param {Record<string, any>} body
 */
function withRun(now, id, start, { prompt, stream, repeat_tokens, logprobs, ...sent }) {
  if (!trees.hasBranch(now, id)) return now;
  const { runs } = trees.branchOf(now, id);
  const run = { start, end: start, settings: sent };
  return trees.withBranch(now, id, { settings: sent, finish: null, runs: [...runs, run] });
}

/**
 * @param {string} treeId
 * @param {string} id
 * @param {object} body
 */
async function write(treeId, id, body) {
  const meet = (/** @type {Response} */ response) => keepSeed(treeId, id, response);
  for await (const events of batches("v1/foretell/explain", forModel(body), abort.signal, meet)) {
    const found = events.filter((event) => event.object === "foretell.explain.chunk").flatMap(tokensOf);
    if (!isThere(treeId, id)) return stop();
    if (found.length > 0) changeTree(treeId, (now) => trees.withWritten(now, id, found));
    const last = events.find((event) => event.object === "foretell.explain");
    if (last) complete(treeId, id, last);
  }
}

/**
 * @param {string} treeId
 * @param {string} id
 */
function isThere(treeId, id) {
  const found = treeOf(treeId);
  return found !== undefined && trees.hasBranch(found, id);
}

/**
 * The seed that the server drew, which it tells before anything else.
 *
 * @param {string} treeId
 * @param {string} id
 * @param {Response} response
 */
function keepSeed(treeId, id, response) {
  const seed = response.headers.get("x-foretell-seed");
  if (seed !== null) changeLastRun(treeId, id, (sent) => ({ ...sent, seed: Number(seed) }));
}

/**
 * @param {string} treeId
 * @param {string} id
 * @param {(settings: Record<string, any>) => Record<string, any>} change
 */
function changeLastRun(treeId, id, change) {
  changeTree(treeId, (now) => {
    if (!trees.hasBranch(now, id)) return now;
    const { runs } = trees.branchOf(now, id);
    const last = runs[runs.length - 1];
    const inForce = change(last.settings);
    return trees.withBranch(now, id, {
      settings: inForce,
      runs: [...runs.slice(0, -1), { ...last, settings: inForce }],
    });
  });
}

/**
 * The text has come to its end: what was in force, and what ended it.
 *
 * @param {string} treeId
 * @param {string} id
 * @param {any} whole
 */
function complete(treeId, id, whole) {
  const { logprobs, trace, ...config } = whole.config;
  warnings.value = whole.warnings;
  changeLastRun(treeId, id, () => config);
  end(treeId, id, { reason: whole.finish_reason, stop: whole.stop_reason });
}

/**
 * @param {string} treeId
 * @param {string} id
 * @param {import("./tree.js").Finish} finish
 */
function end(treeId, id, finish) {
  changeTree(treeId, (now) => {
    if (!trees.hasBranch(now, id)) return now;
    return trees.withBranch(now, id, { finish, runs: joined(trees.branchOf(now, id).runs) });
  });
}

/**
 * @param {Tree} from
 * @param {string} id
 * @returns {number | null}
 */
export function seedOfBranch(from, id) {
  const seeds = trees.runsOfBranch(from, id).map((run) => run.settings.seed).filter(isSet);
  return seeds.at(-1) ?? null;
}

/**
 * The body of a request for the tokens that follow these ids.
 *
 * @param {number[]} ids
 * @param {number} [num_tokens]
 * @returns {Record<string, any>}
 */
export function requestBody(ids, num_tokens) {
  const set = Object.fromEntries(Object.entries(settings.value).filter(([, value]) => isSet(value)));
  const length = num_tokens ?? set.max_new_tokens ?? DEFAULT_LENGTH;
  return { prompt: ids, ...set, max_new_tokens: length, stream: true, repeat_tokens: false, logprobs: NUM_ALTERNATIVES };
}

/**
 * The ids of the tree's prompt, asked for once.
 *
 * @param {AbortSignal} [signal]
 * @returns {Promise<number[]>}
 */
export async function promptIds(signal) {
  const { id, prompt } = tree.value;
  if (prompt.ids !== null) return prompt.ids;
  const { tokens: ids } = await json("tokenize", forModel(promptBody(prompt)), signal);
  keepIds(id, prompt, ids);
  return ids;
}

/**
 * What asks for the ids of a prompt. A chat that ends with the assistant's words goes on with them.
 *
 * @param {Prompt} prompt
 */
export function promptBody(prompt) {
  if (prompt.mode === "text") return { prompt: prompt.text };
  const goesOn = prompt.messages.at(-1)?.role === "assistant";
  return { messages: prompt.messages, ...(goesOn ? { continue_final_message: true } : {}) };
}

/**
 * Note the ids of a prompt in the tree that has it.
 *
 * @param {string} treeId
 * @param {Prompt} prompt
 * @param {number[]} ids
 */
export function keepIds(treeId, prompt, ids) {
  changeTree(treeId, (now) => (trees.isSamePrompt(now.prompt, prompt) ? { ...now, prompt: { ...prompt, ids } } : now));
}

/**
 * Put another prompt into the box, and write from it.
 *
 * @param {Prompt} prompt
 */
export async function generateFrom(prompt) {
  changePrompt(prompt);
  await generate();
}
