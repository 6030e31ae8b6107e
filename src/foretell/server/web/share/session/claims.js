/** Each tab has a session of its own: it claims it, and two tabs never write into the same. */

import { newId } from "../../state/ids.js";

const NAME = "foretell-session";
const PATIENCE = 2000; // milliseconds in which a page that is being left gives up its session

/** Gives up the session that is claimed. */
let release = () => {};

/** The session that this tab had before it was loaded anew; null: none. */
export function sessionBefore() {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null;
  }
}

/**
 * Claim a session for this tab.
 *
 * @param {string} id
 * @param {{ isPatient?: boolean }} [how] whether to wait a moment for it
 * @returns {Promise<boolean>} false: another tab has it
 */
export async function claim(id, { isPatient = false } = {}) {
  if (navigator.locks === undefined) return hold(id, () => {}, sessionBefore() === id || !isPatient);
  const options = isPatient ? { signal: AbortSignal.timeout(PATIENCE) } : { ifAvailable: true };
  return new Promise((resolve) => {
    const locking = navigator.locks.request(`${NAME}-${id}`, options, (lock) => {
      if (lock === null) return resolve(false);
      return new Promise((end) => resolve(hold(id, () => end(undefined), true)));
    });
    locking.catch(() => resolve(false));
  });
}

/**
 * @param {string} id
 * @param {() => void} end
 * @param {boolean} isOwn
 */
function hold(id, end, isOwn) {
  if (!isOwn) return false;
  release();
  release = end;
  try {
    sessionStorage.setItem(NAME, id);
  } catch {
    // then the session is not found again after a reload, and stands among the earlier ones
  }
  return true;
}

/** Claim a session that nobody has had. */
export async function claimNew() {
  const id = newId();
  await claim(id);
  return id;
}

/** The sessions that tabs have open, as far as the browser tells. */
export async function claimed() {
  const held = (await navigator.locks?.query())?.held ?? [];
  return new Set(held.map((lock) => (lock.name ?? "").slice(NAME.length + 1)));
}
