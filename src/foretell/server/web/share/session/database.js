/** The browser's database, in which sessions are kept. */

import { isSound, tokensByBranch, treeOf } from "./records.js";
import { bringingBack, isAway } from "./steps.js";

const NAME = "foretell-playground";
const VERSION = 1;
const PATIENCE = 3000; // milliseconds for which a database may be in use elsewhere

/**
 * @typedef {Object} Session
 * @property {string} id
 * @property {number} changed when it was written last, as Date.now() says
 * @property {string} title
 * @property {string[]} trees the one that is shown first
 * @property {string | null} [discarded] one that was thrown away, and may still come back
 * @property {import("../../state/tree.js").Prompt} draft
 * @property {import("../../state/tree.js").Settings} settings
 */

/**
 * @returns {Promise<IDBDatabase>}
 */
export function openDatabase() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(NAME, VERSION);
    let isGivenUp = false;
    const giveUp = () => {
      isGivenUp = true;
      reject(new Error("the database is in use"));
    };
    const timer = setTimeout(giveUp, PATIENCE);
    opening.onupgradeneeded = () => {
      const database = opening.result;
      database.createObjectStore("sessions", { keyPath: "id" });
      database.createObjectStore("trees", { keyPath: "id" });
      database.createObjectStore("blocks", { keyPath: "key" });
    };
    opening.onsuccess = () => {
      clearTimeout(timer);
      if (isGivenUp) opening.result.close(); // nobody else shall wait for it
      else resolve(opening.result);
    };
    opening.onerror = () => {
      clearTimeout(timer);
      reject(opening.error);
    };
  });
}

/**
 * What a request to the database is answered with.
 *
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
export function answerOf(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * @param {IDBTransaction} transaction
 * @returns {Promise<void>} once all of it is written
 */
export function written(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

/** @param {IDBDatabase} database */
export function changing(database) {
  return database.transaction(["sessions", "trees", "blocks"], "readwrite");
}

/**
 * All sessions, the latest first.
 *
 * @param {IDBDatabase} database
 * @returns {Promise<Session[]>}
 */
export async function sessionsIn(database) {
  const all = await answerOf(database.transaction("sessions").objectStore("sessions").getAll());
  return all.sort((one, other) => other.changed - one.changed);
}

/**
 * The trees of a session; one that is missing is left out.
 *
 * @param {IDBDatabase} database
 * @param {Session} session
 */
export async function treesOf(database, session) {
  const reading = database.transaction(["trees", "blocks"]);
  const found = await Promise.all(
    session.trees.map(async (id) => {
      const head = answerOf(reading.objectStore("trees").get(id));
      const blocks = answerOf(reading.objectStore("blocks").getAll(blocksOf(id)));
      return { head: await head, blocks: await blocks };
    }),
  );
  return found.filter(({ head }) => head !== undefined).map(({ head, blocks }) => treeOf(head, blocks)).filter(isSound);
}

/**
 * The tokens of a tree's branches as they are kept.
 *
 * @param {IDBDatabase} database
 * @param {string} tree
 */
export async function tokensOf(database, tree) {
  const reading = database.transaction("blocks").objectStore("blocks");
  return tokensByBranch(await answerOf(reading.getAll(blocksOf(tree))));
}

/**
 * Write a block. Where a token's step is not in memory, it is the one that is there.
 *
 * @param {IDBObjectStore} store
 * @param {import("./records.js").Block} block
 */
export function putBlock(store, block) {
  if (!block.tokens.some(isAway)) return void store.put(block);
  const asking = store.get(/** @type {any} */ (block.key));
  asking.onsuccess = () => {
    const back = bringingBack(block.tokens, asking.result?.tokens ?? []);
    store.put({ ...block, tokens: block.tokens.map((token) => back.get(token) ?? token) });
  };
}

/** @param {string} tree all keys of its blocks */
function blocksOf(tree) {
  return IDBKeyRange.bound([tree], [tree, []]);
}

/**
 * @param {IDBTransaction} transaction
 * @param {string} id of a tree
 */
export function removeTree(transaction, id) {
  transaction.objectStore("trees").delete(id);
  transaction.objectStore("blocks").delete(blocksOf(id));
}

/**
 * @param {IDBDatabase} database
 * @param {Session} session
 */
export async function removeSession(database, session) {
  const transaction = changing(database);
  transaction.objectStore("sessions").delete(session.id);
  for (const id of [...session.trees, ...(session.discarded ? [session.discarded] : [])]) removeTree(transaction, id);
  await written(transaction);
}

/** @param {IDBDatabase} database */
export async function removeAll(database) {
  const transaction = changing(database);
  for (const name of ["sessions", "trees", "blocks"]) transaction.objectStore(name).clear();
  await written(transaction);
}
