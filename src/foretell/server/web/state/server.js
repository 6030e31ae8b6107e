/** What is known of the server: its model, its version, its context; and whether it answers. */

import { effect, signal } from "@preact/signals";
import { json } from "../api/http.js";
import { isReachable } from "../api/reachable.js";

export { isReachable };

/** The name of the model; "" until it is known. */
export const serverModel = signal("");

/** foretell's version there; "" until it is known. */
export const serverVersion = signal("");

/** Tokens of prompt and text together at most; null until it is known. */
export const contextLength = signal(/** @type {number | null} */ (null));

/** Ask the server who it is. */
export async function meetServer() {
  const [{ data }, { version }] = await Promise.all([json("v1/models"), json("version")]);
  serverModel.value = data[0].id;
  serverVersion.value = version;
  contextLength.value = data[0].max_model_len;
}

/**
 * A request's body that says for which model it is: a server that was started anew with another one,
 * whose ids mean other tokens, refuses it.
 *
 * @param {Record<string, any>} body
 */
export function forModel(body) {
  return serverModel.peek() === "" ? body : { ...body, model: serverModel.peek() };
}

/**
 * Ask the server who it is where it says that it is not who it was.
 *
 * @param {any} error
 */
export async function meetAgain(error) {
  if (error?.status === 404 && error.param === "model") await meetServer().catch(() => undefined);
}

const FIRST_WAIT = 2000;
const LONGEST_WAIT = 30_000;

/**
 * While the server does not answer, ask it now and then, ever more seldom; sooner where the reader
 * comes back to the page or to a network.
 */
export function followServer() {
  let timer = 0;
  let wait = FIRST_WAIT;
  const ask = () => {
    clearTimeout(timer);
    if (isReachable.peek()) return;
    timer = setTimeout(ask, wait);
    wait = Math.min(wait * 2, LONGEST_WAIT);
    if (document.visibilityState === "visible") meetServer().catch(() => undefined);
  };
  const asks = effect(() => {
    clearTimeout(timer);
    wait = FIRST_WAIT;
    if (!isReachable.value) timer = setTimeout(ask, wait);
  });
  addEventListener("online", ask);
  document.addEventListener("visibilitychange", ask);
  return () => {
    asks();
    clearTimeout(timer);
    removeEventListener("online", ask);
    document.removeEventListener("visibilitychange", ask);
  };
}
