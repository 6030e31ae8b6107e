/** Opens a link: shows its text, writes it again on this server, and says where it first differs. */

import { tell } from "../../app/notices.js";
import { ApiError, json } from "../../api/http.js";
import { NUM_ALTERNATIVES, promptIds } from "../../state/generation.js";
import { piecesOfRun, settingsOfRun } from "../../state/runs.js";
import { forModel, meetServer, serverModel, serverVersion } from "../../state/server.js";
import { changeTree, settings, tree } from "../../state/store.js";
import { branchOf, firstDifferenceOf, newTree, withBranch, withFork } from "../../state/tree.js";
import { tokensOf } from "../../text/token.js";
import { nameOf } from "../../text/visible.js";
import { typedTokens } from "../../write/edit/difference.js";
import { LinkError, decode } from "./codec.js";
import { MARK, isReplaying, replay } from "../replaying.js";
import { commonBeginning, tokenAt } from "./first_difference.js";
import { t } from "../texts.js";

/**
 * @typedef {import("./codec.js").Link} Link
 * @typedef {import("../../text/token.js").Token} Token
 */

/** Open the link of the page's address. What is wrong with it is told. */
export async function openAddress() {
  try {
    await openLink(location.hash.slice(1 + MARK.length));
  } catch (error) {
    tell("error", toldError(/** @type {Error} */ (error)));
  }
}

/** @param {string} code */
async function openLink(code) {
  const link = await decode(code);
  await meetServer(); // it may be another one by now
  const isKnown = link.model === serverModel.value;
  const id = isKnown ? await showIds(link) : await showText(link);
  history.replaceState(null, "", location.pathname + location.search);
  isReplaying.value = true;
  replay.abort.abort(); // a link that was opened before
  const abort = (replay.abort = new AbortController());
  try {
    tellOutcome(link, isKnown ? await replayIds(link, id) : await replayText(link, id));
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  } finally {
    if (replay.abort === abort) isReplaying.value = false;
  }
}

/** @param {Error} error */
function toldError(error) {
  if (error instanceof LinkError) return t(error.kind, { detail: error.message && ` (${error.message})` });
  if (error instanceof ApiError && error.status === 0) return t("no_server");
  return t("not_opened", { message: error.message });
}

/**
 * Show a text by its ids.
 *
 * @param {Link} link
 * @returns {Promise<string>} the id of its tree
 */
async function showIds(link) {
  const ids = [...(link.prompt.ids ?? []), ...link.tokens.map((token) => token.id)];
  const { tokens } = ids.length > 1 ? await json("v1/foretell/score", { prompt: ids }) : { tokens: [] };
  const own = tokens.slice(ids.length - link.tokens.length);
  return shown(link, own.map((/** @type {any} */ entry, /** @type {number} */ index) => ({
    id: entry.token_id,
    text: entry.token,
    bytes: entry.bytes,
    origin: link.tokens[index].origin,
    logprob: entry.logprob,
    rank: entry.rank,
    step: null,
  })), link.runs, link.prompt);
}

/**
 * Show a text that another model wrote: cut into the tokens of this one.
 *
 * @param {Link} link
 */
async function showText(link) {
  return shown(link, await tokensOfText(link.texts.join("")), [], { ...link.prompt, ids: null });
}

/**
 * @param {Link} link
 * @param {Token[]} tokens
 * @param {import("../../state/runs.js").Run[]} runs
 * @param {import("../../state/tree.js").Prompt} prompt
 */
function shown(link, tokens, runs, prompt) {
  const begun = { ...newTree(prompt, link.settings), model: serverModel.value };
  const inForce = runs.at(-1)?.settings ?? link.settings;
  settings.value = link.settings;
  tree.value = withBranch(begun, begun.current, { tokens, runs, settings: inForce, name: t("from_link") });
  return begun.id;
}

/**
 * @param {string} text
 * @returns {Promise<Token[]>}
 */
async function tokensOfText(text) {
  if (text === "") return [];
  const body = { prompt: text, add_special_tokens: false, parse_special: false, return_token_strs: true };
  const { tokens: ids, token_strs: names } = await json("tokenize", body);
  return typedTokens(text, ids, names);
}

/**
 * @typedef {Object} Outcome
 * @property {number} num_same tokens that were written again
 * @property {{ position: number, was: string, is: string } | null} difference the first
 */

/**
 * Write each run again after the link's own tokens, until one comes out differently.
 *
 * @param {Link} link
 * @param {string} treeId
 * @returns {Promise<Outcome>}
 */
async function replayIds(link, treeId) {
  let num_same = 0;
  for (const { start, settings: asked } of link.runs.flatMap(piecesOfRun)) {
    const before = [...(link.prompt.ids ?? []), ...link.tokens.slice(0, start).map((token) => token.id)];
    const again = await writtenAgain(before, asked);
    const expected = link.tokens.slice(start, start + asked.max_new_tokens);
    const place = firstDifferenceOf(expected, again);
    num_same += place;
    explain(treeId, start, again.slice(0, place));
    if (place < expected.length) return differing(treeId, num_same, start + place, again.slice(place), asked);
  }
  return { num_same, difference: null };
}

/**
 * @param {number[]} ids
 * @param {Record<string, any>} asked
 * @returns {Promise<Token[]>}
 */
async function writtenAgain(ids, asked) {
  const body = forModel({ ...asked, prompt: ids, logprobs: NUM_ALTERNATIVES });
  return tokensOf(await json("v1/foretell/explain", body, replay.abort.signal));
}

/**
 * The tokens that came out the same take the place of the link's: they have their steps.
 *
 * @param {string} treeId
 * @param {number} start
 * @param {Token[]} again
 */
function explain(treeId, start, again) {
  changeTree(treeId, (now) => {
    const [root] = now.branches;
    const tokens = [...root.tokens];
    tokens.splice(start, again.length, ...again);
    return withBranch(now, root.id, { tokens });
  });
}

/**
 * What this server writes in place of the link's text becomes a branch beside it.
 *
 * @param {string} treeId
 * @param {number} num_same
 * @param {number} position
 * @param {Token[]} again
 * @param {Record<string, any>} inForce
 * @returns {Outcome}
 */
function differing(treeId, num_same, position, again, inForce) {
  const was = { text: "", bytes: /** @type {number[]} */ ([]) };
  changeTree(treeId, (now) => {
    const [root] = now.branches;
    Object.assign(was, root.tokens[position]);
    const forked = withFork(now, root.id, position, again, inForce);
    const run = { start: position, end: position + again.length, settings: inForce };
    const named = withBranch(forked, forked.current, { name: t("written_here"), runs: [run] });
    return { ...named, current: root.id };
  });
  return { num_same, difference: { position, was: nameOf(was), is: again[0] ? nameOf(again[0]) : t("end") } };
}

/**
 * Write a text of another model again with this one: its first run, by texts.
 *
 * @param {Link} link
 * @param {string} treeId
 * @returns {Promise<Outcome>}
 */
async function replayText(link, treeId) {
  const [run] = link.runs;
  if (run === undefined) return { num_same: 0, difference: null };
  const [before, written] = link.texts;
  const start = await tokensOfText(before);
  const ids = [...(await promptIds()), ...start.map((token) => token.id)];
  const again = await writtenAgain(ids, settingsOfRun(run));
  const same = commonBeginning(again, written);
  if (same.isWhole) return { num_same: same.num_tokens, difference: null };
  const shown = branchOf(tree.value, tree.value.branches[0].id).tokens;
  const position = tokenAt(shown, before.length + same.num_characters);
  return differing(treeId, same.num_tokens, position, again.slice(same.num_tokens), run.settings);
}

/**
 * @param {Link} link
 * @param {Outcome} outcome
 */
function tellOutcome(link, { num_same, difference }) {
  const here = { model: serverModel.value, version: serverVersion.value };
  const isSameServer = link.model === here.model && link.version === here.version;
  const made = isSameServer ? "" : `${t("made_elsewhere", { model: link.model, version: link.version, here: here.model, now: here.version })} `;
  if (difference === null) {
    tell(isSameServer ? "note" : "warning", made + (link.runs.length > 0 ? t("same", { count: num_same }) : t("nothing_written")));
    return;
  }
  const { position, was, is } = difference;
  tell("warning", made + t("differs", { position: position + 1, was, is }));
}
