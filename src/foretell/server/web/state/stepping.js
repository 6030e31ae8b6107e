/** One token at a time: the next one's distribution is shown, then the reader or the draw decides. */

import { computed, signal } from "@preact/signals";
import { json } from "../api/http.js";
import { chosenToken, tokensOf } from "../text/token.js";
import { lastSeed, promptIds, requestBody } from "./generation.js";
import { joined } from "./runs.js";
import { forModel, meetAgain, serverModel } from "./server.js";
import { changeTree, current, isPromptChanged, settings, tokens, tree } from "./store.js";
import { branchOf, endOf, hasBranch, withBranch, withTokens } from "./tree.js";

/**
 * @typedef {Object} Pending the next token, which nobody has decided on yet
 * @property {string} tree
 * @property {string} branch
 * @property {number} position
 * @property {import("../text/token.js").Token} token the one that the draw would take
 * @property {import("./tree.js").Finish | null} finish what ends the text with it, if it does
 * @property {import("./tree.js").Settings} settings in force, with the seed
 */

const asked = signal(/** @type {Pending | null} */ (null));

/** The token that is to be decided on, as long as the page shows the place that it is for. */
export const pending = computed(() => {
  const found = asked.value;
  if (found === null || found.tree !== tree.value.id || found.branch !== tree.value.current) return null;
  return found.position === endOf(current.value) && !isPromptChanged.value ? found : null;
});

/** Whether the server is being asked for the next token. */
export const isAsking = signal(false);

/** The number of the last question: what an older one is answered with is of no use any more. */
let question = 0;

/** Ask for the next token; where one is to be decided on, take what was drawn first. */
export async function step() {
  if (pending.value !== null) take(pending.value);
  await ask();
}

/**
 * Take what the reader chose, and ask for the next one.
 *
 * @param {import("../text/token.js").Candidate} candidate one of the pending token's
 */
export async function choose(candidate) {
  const found = pending.value;
  if (found === null) return;
  const { step: seen } = found.token;
  if (seen === null || candidate === seen.chosen) take(found);
  else changeTree(found.tree, (now) => grown(now, found, chosenToken(seen, candidate)));
  await ask();
}

/** Decide nothing: the text stays as it is. */
export function leaveStepping() {
  question += 1;
  asked.value = null;
  isAsking.value = false;
}

/** @param {Pending} found what was drawn becomes part of the text */
function take(found) {
  changeTree(found.tree, (now) => {
    if (!hasBranch(now, found.branch)) return now;
    const { runs } = branchOf(now, found.branch);
    const run = { start: found.position, end: found.position + 1, settings: found.settings };
    const changes = { runs: joined([...runs, run]), finish: found.finish, settings: found.settings };
    return withBranch(grown(now, found, found.token), found.branch, changes);
  });
}

/**
 * @param {import("./tree.js").Tree} now
 * @param {Pending} found
 * @param {import("../text/token.js").Token} token
 */
function grown(now, found, token) {
  return { ...withTokens(now, found.branch, [token]), model: serverModel.value };
}

async function ask() {
  const mine = (question += 1);
  const place = { tree: tree.value.id, branch: tree.value.current, position: endOf(current.value) };
  const seed = asked.value?.tree === place.tree ? asked.value.settings.seed : lastSeed.value;
  isAsking.value = true;
  try {
    const before = tokens.value;
    const ids = [...(await promptIds()), ...before.map((token) => token.id)];
    const whole = await json("v1/foretell/explain", forModel(stepBody(ids, seed ?? null)));
    if (question === mine) asked.value = { ...place, ...pendingOf(whole) };
  } catch (error) {
    if (question === mine) asked.value = null;
    meetAgain(error);
    throw error;
  } finally {
    if (question === mine) isAsking.value = false;
  }
}

/**
 * @param {number[]} ids
 * @param {number | null} seed
 */
function stepBody(ids, seed) {
  const body = { ...requestBody(ids, 1), stream: false, repeat_tokens: true };
  return seed === null || settings.value.seed != null ? body : { ...body, seed };
}

/** @param {any} whole */
function pendingOf(whole) {
  const { logprobs, trace, ...config } = whole.config;
  const isEnd = whole.finish_reason === "stop";
  return {
    token: tokensOf(whole)[0],
    finish: isEnd ? { reason: whole.finish_reason, stop: whole.stop_reason } : null,
    settings: config,
  };
}
