/** Keeps what the reader has in the browser, while it is written too; and finds it again. */

import { batch, effect, signal } from "@preact/signals";
import { tell } from "../../app/notices.js";
import { discarded, draft, settings, shelf, tree } from "../../state/store.js";
import { EMPTY_PROMPT, isBare, newTree } from "../../state/tree.js";
import { titleOf } from "../../state/titles.js";
import { claim, claimNew, claimed, sessionBefore } from "./claims.js";
import * as kept from "./database.js";
import { changedBlocks, headOf } from "./records.js";
import { t } from "../texts.js";

/**
 * @typedef {import("../../state/tree.js").Tree} Tree
 * @typedef {import("./database.js").Session} Session
 */

const PAUSE = 400; // milliseconds after a change until it is written

/** The database; null where the browser keeps nothing. */
let database = /** @type {IDBDatabase | null} */ (null);

let id = "";

/** The trees as they were written last. */
let saved = /** @type {Map<string, Tree>} */ (new Map());

let timer = 0;
let saving = Promise.resolve();

/** Whether what is on the page is kept; null until that is known. */
export const isKept = signal(/** @type {boolean | null} */ (null));

/** Earlier sessions, and those of other tabs. */
export const earlier = signal(/** @type {(Session & { isElsewhere: boolean })[]} */ ([]));

/** Find the session of this tab, and keep it from now on. */
export async function startSession() {
  try {
    database = await kept.openDatabase();
    database.onversionchange = () => database?.close();
    const found = await ownSession(database);
    if (found !== null) restore(found, await kept.treesOf(database, found));
    isKept.value = true;
    await listEarlier();
  } catch {
    database = null;
    isKept.value = false;
    return;
  }
  effect(() => noteChange([tree.value, shelf.value, draft.value, settings.value]));
  addEventListener("pagehide", () => save());
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && save());
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
  if (timer === 0) timer = setTimeout(save, PAUSE);
}

/** Write what has changed since the last time. */
function save() {
  clearTimeout(timer);
  timer = 0;
  if (database === null || (saved.size === 0 && isEmpty())) return;
  const trees = [tree.peek(), ...shelf.peek()];
  saving = write(database, trees).then(
    () => void (isKept.value = true),
    (error) => {
      if (isKept.peek()) tell("warning", `${t("not_kept")} (${error?.message ?? error})`);
      isKept.value = false;
    },
  );
}

function isEmpty() {
  return isBare(tree.peek()) && shelf.peek().length === 0 && draft.peek().text === "" && draft.peek().messages.length === 0;
}

/**
 * @param {IDBDatabase} to
 * @param {Tree[]} trees
 */
function write(to, trees) {
  const transaction = kept.changing(to);
  const [heads, blocks] = [transaction.objectStore("trees"), transaction.objectStore("blocks")];
  for (const one of trees) {
    const before = saved.get(one.id);
    if (before === one) continue;
    heads.put(headOf(one));
    for (const block of changedBlocks(one, before)) blocks.put(block);
  }
  const now = new Set(trees.map((one) => one.id));
  for (const gone of saved.keys()) if (!now.has(gone)) kept.removeTree(transaction, gone);
  transaction.objectStore("sessions").put({
    id,
    changed: Date.now(),
    title: titleOf({ prompt: isBare(trees[0]) ? draft.peek() : trees[0].prompt }),
    trees: trees.map((one) => one.id),
    draft: draft.peek(),
    settings: settings.peek(),
  });
  saved = new Map(trees.map((one) => [one.id, one]));
  return kept.written(transaction);
}

async function listEarlier() {
  if (database === null) return;
  const open = await claimed();
  const others = (await kept.sessionsIn(database)).filter((one) => one.id !== id);
  earlier.value = others.map((one) => ({ ...one, isElsewhere: open.has(one.id) }));
}

/** @param {Session} session an earlier one, which takes this one's place on the page */
export async function openSession(session) {
  if (database === null) return;
  save();
  await saving;
  if (await claim(session.id)) {
    const trees = await kept.treesOf(database, session);
    id = session.id;
    clearPage();
    restore(session, trees);
  }
  await listEarlier();
}

/** @param {Session} session an earlier one, to be deleted */
export async function deleteSession(session) {
  if (database !== null) await kept.removeSession(database, session);
  await listEarlier();
}

/** Delete all that is kept, of all sessions, and clear the page. */
export async function deleteAll() {
  clearPage();
  clearTimeout(timer);
  timer = 0;
  await saving;
  if (database !== null) await kept.removeAll(database);
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
