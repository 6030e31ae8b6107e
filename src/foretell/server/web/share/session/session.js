/** Keeps what the reader has in the browser, while it is written too; and finds it again. */

import { batch, computed, effect, signal } from "@preact/signals";
import { tell, untell } from "../../app/notices.js";
import { writing } from "../../state/generation.js";
import { discarded, draft, settings, shelf, tree, treeOf } from "../../state/store.js";
import { EMPTY_PROMPT, isBare, newTree, pathOf } from "../../state/tree.js";
import { titleOf } from "../../state/titles.js";
import { claim, claimNew, claimed, sessionBefore } from "./claims.js";
import * as kept from "./database.js";
import { changedBlocks, headOf } from "./records.js";
import { bringingBack, isAway, puttingAway, replaced } from "./steps.js";
import { t } from "../texts.js";

/**
 * @typedef {import("../../state/tree.js").Tree} Tree
 * @typedef {import("./database.js").Session} Session
 */

const PAUSE = 400; // milliseconds after a change until it is written
const LONG_PAUSE = 5000; // the same after it could not be written

/** The database; null where it is not open. */
let database = /** @type {IDBDatabase | null} */ (null);

/** Opens it. */
let opening = /** @type {Promise<IDBDatabase> | null} */ (null);

let id = "";

/** The trees as they were written last; undefined: it is not sure that all of one is there. */
let saved = /** @type {Map<string, Tree | undefined>} */ (new Map());

let timer = 0;
let saving = Promise.resolve();

/** What was told when it could not be written. */
let complaint = "";

/** Tells other tabs that all was deleted. */
const channel = globalThis.document && globalThis.BroadcastChannel ? new BroadcastChannel("foretell-playground") : null;

/** Whether what is on the page is kept; null until that is known. */
export const isKept = signal(/** @type {boolean | null} */ (null));

/** Earlier sessions, and those of other tabs. */
export const earlier = signal(/** @type {(Session & { isElsewhere: boolean })[]} */ ([]));

/** Find the session of this tab, and keep it from now on. */
export async function startSession() {
  try {
    const found = await ownSession(await connected());
    if (found !== null) restore(found, await kept.treesOf(await connected(), found));
    isKept.value = true;
    await listEarlier();
  } catch {
    isKept.value = false;
    return;
  }
  effect(() => noteChange([tree.value, shelf.value, draft.value, settings.value, discarded.value]));
  const shown = computed(() => `${tree.value.id} ${tree.value.current}`);
  effect(() => void bringShown(shown.value));
  addEventListener("pagehide", () => save());
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && save());
  channel?.addEventListener("message", forgetSaved);
}

/** The database, opened if need be: others may have deleted it, or the browser closed it. */
async function connected() {
  if (database !== null) return database;
  opening ??= kept.openDatabase();
  try {
    const found = await opening;
    found.onversionchange = found.onclose = () => leave(found);
    return (database = found);
  } finally {
    opening = null;
  }
}

/** @param {IDBDatabase | null} left a database that is of no use any more */
function leave(left) {
  left?.close();
  if (left !== database) return;
  database = null;
  forgetSaved();
}

/** It is not sure any more that anything is there. */
function forgetSaved() {
  saved = new Map([...saved.keys()].map((one) => [one, undefined]));
}

/**
 * The session that this tab had, or the latest that no other tab has; null: a new one.
 *
 * @param {IDBDatabase} from
 * @returns {Promise<Session | null>}
 */
async function ownSession(from) {
  const sessions = await kept.sessionsIn(from);
  const before = sessionBefore();
  if (before !== null && (await claim(before, { isPatient: true }))) {
    id = before;
    return sessions.find((one) => one.id === before) ?? null;
  }
  const [latest] = sessions;
  if (latest !== undefined && before === null && navigator.locks !== undefined && (await claim(latest.id))) {
    id = latest.id;
    return latest;
  }
  id = await claimNew();
  return null;
}

/**
 * Put a session onto the page. What the reader has begun in the meantime stays in sight.
 *
 * @param {Session} session
 * @param {Tree[]} trees
 */
function restore(session, trees) {
  saved = new Map(trees.map((one) => [one.id, one]));
  if (session.discarded) saved.set(session.discarded, undefined); // it goes for good with the next change
  const [first, ...others] = trees.map(withoutOldIds);
  const isTouched = !isBare(tree.peek()) || draft.peek() !== EMPTY_PROMPT;
  batch(() => {
    if (isTouched || first === undefined) {
      shelf.value = [...shelf.peek(), ...trees.filter((one) => !isBare(one))];
      return;
    }
    tree.value = first;
  });
  if (isTouched || first === undefined) return;
  shelf.value = others;
  draft.value = session.draft;
  if (Object.keys(settings.peek()).length === 0) settings.value = session.settings;
}

/**
 * A tree without a text has no model yet, and its prompt may be another model's to cut by now.
 *
 * @param {Tree} one
 * @returns {Tree}
 */
function withoutOldIds(one) {
  return isBare(one) ? { ...one, prompt: { ...one.prompt, ids: null } } : one;
}

/** @param {unknown[]} _ what is kept: any of it has changed */
function noteChange(_) {
  if (timer === 0) timer = setTimeout(save, isKept.peek() ? PAUSE : LONG_PAUSE);
}

/** Write what has changed since the last time. */
function save() {
  clearTimeout(timer);
  timer = 0;
  if (saved.size === 0 && isEmpty()) return;
  saving = write().then(noteKept, noteLost);
}

function noteKept() {
  untell(complaint);
  isKept.value = true;
}

/** @param {Error | null} error why it could not be written */
function noteLost(error) {
  leave(database);
  if (isKept.peek()) tell("warning", (complaint = `${t("not_kept")} (${error?.message ?? error})`));
  isKept.value = false;
  noteChange([]);
}

function isEmpty() {
  return isBare(tree.peek()) && shelf.peek().length === 0 && draft.peek().text === "" && draft.peek().messages.length === 0;
}

async function write() {
  const transaction = kept.changing(database ?? (await connected()));
  const [trees, last] = [[tree.peek(), ...shelf.peek()], discarded.peek()];
  writeTrees(transaction, trees);
  const now = new Set([...trees, ...(last ? [last] : [])].map((one) => one.id));
  for (const gone of saved.keys()) if (!now.has(gone)) kept.removeTree(transaction, gone);
  transaction.objectStore("sessions").put(sessionNow(trees, last !== null && saved.has(last.id) ? last.id : null));
  saved = new Map([...[...saved].filter(([one]) => now.has(one)), ...trees.map((one) => /** @type {const} */ ([one.id, one]))]);
  await kept.written(transaction);
  putAway(trees);
}

/**
 * @param {IDBTransaction} transaction
 * @param {Tree[]} trees
 */
function writeTrees(transaction, trees) {
  const [heads, blocks] = [transaction.objectStore("trees"), transaction.objectStore("blocks")];
  for (const one of trees) {
    const before = saved.get(one.id);
    if (before === one) continue;
    heads.put(headOf(one));
    for (const block of changedBlocks(one, before)) kept.putBlock(blocks, block);
  }
}

/**
 * @param {Tree[]} trees
 * @param {string | null} thrownAway
 * @returns {Session}
 */
function sessionNow(trees, thrownAway) {
  return {
    id,
    changed: Date.now(),
    title: titleOf({ prompt: isBare(trees[0]) ? draft.peek() : trees[0].prompt }),
    trees: trees.map((one) => one.id),
    discarded: thrownAway,
    draft: draft.peek(),
    settings: settings.peek(),
  };
}

/** @param {Tree[]} written what is in the database: its steps need not all be in memory, too */
function putAway(written) {
  const found = puttingAway([tree.peek(), ...shelf.peek()], writing.peek());
  if (found.size === 0) return;
  const known = new Set(written.flatMap((one) => one.branches.flatMap((branch) => branch.tokens)));
  replace(new Map([...found].filter(([token]) => known.has(token))));
}

/** @param {import("./steps.js").Replacements} replacements tokens for others, which are kept the same */
function replace(replacements) {
  batch(() => {
    tree.value = replaced(tree.peek(), replacements);
    shelf.value = shelf.peek().map((one) => replaced(one, replacements));
  });
  saved = new Map([...saved].map(([one, found]) => [one, found && replaced(found, replacements)]));
}

/** @param {string} _ the branch that is shown: its steps are brought back into memory */
async function bringShown(_) {
  const { id: shown, ...now } = tree.peek();
  const isWhole = pathOf(tree.peek(), now.current).every((branch) => !branch.tokens.some(isAway));
  if (isWhole) return;
  const found = await tokensKept(shown);
  const there = treeOf(shown);
  if (there !== undefined) replace(fromKept(pathOf(there, there.current), found));
}

/**
 * A tree with all steps in memory.
 *
 * @param {Tree} from
 * @returns {Promise<Tree>}
 */
export async function withAllSteps(from) {
  if (!from.branches.some((branch) => branch.tokens.some(isAway))) return from;
  return replaced(from, fromKept(from.branches, await tokensKept(from.id)));
}

/**
 * @param {string} from a tree
 * @returns {Promise<Map<string, import("../../text/token.js").Token[]>>} none where the database is gone
 */
async function tokensKept(from) {
  try {
    return await kept.tokensOf(await connected(), from);
  } catch {
    return new Map();
  }
}

/**
 * @param {readonly import("../../state/tree.js").Branch[]} branches
 * @param {Map<string, import("../../text/token.js").Token[]>} found
 */
function fromKept(branches, found) {
  return new Map(branches.flatMap(({ id: one, tokens }) => [...bringingBack(tokens, found.get(one) ?? [])]));
}

async function listEarlier() {
  const open = await claimed();
  const others = (await kept.sessionsIn(await connected())).filter((one) => one.id !== id);
  earlier.value = others.map((one) => ({ ...one, isElsewhere: open.has(one.id) }));
}

/** @param {Session} session an earlier one, which takes this one's place on the page */
export async function openSession(session) {
  save();
  await saving;
  if (!isKept.peek()) return; // what is on the page would be lost
  const trees = await kept.treesOf(await connected(), session);
  if (await claim(session.id)) {
    id = session.id;
    clearPage();
    restore(session, trees);
  }
  await listEarlier();
}

/** @param {Session} session an earlier one, to be deleted */
export async function deleteSession(session) {
  await kept.removeSession(await connected(), session);
  await listEarlier();
}

/** Delete all that is kept, of all sessions, and clear the page. */
export async function deleteAll() {
  clearPage();
  clearTimeout(timer);
  timer = 0;
  await saving;
  await kept.removeAll(await connected());
  channel?.postMessage("deleted");
  await listEarlier();
}

function clearPage() {
  saved = new Map();
  tree.value = newTree(EMPTY_PROMPT);
  shelf.value = [];
  discarded.value = null;
  draft.value = EMPTY_PROMPT;
  settings.value = {};
}

export { listEarlier };
