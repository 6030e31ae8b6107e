/** Answers that come as server-sent events. */

import { ApiError, request, unanswered } from "./http.js";
import { isReachable } from "./reachable.js";

/**
 * The data of each event, as it comes; ApiError where the server reports an error in the middle,
 * or the stream breaks off before its end.
 *
 * @param {string} path
 * @param {unknown} body
 * @param {AbortSignal} [abort] ends the stream, and with it the server's work
 * @returns {AsyncGenerator<any, void, void>}
 */
export async function* stream(path, body, abort) {
  for await (const events of batches(path, body, abort)) yield* events;
}

/**
 * The same, all events that came together at once: so that a page need not be drawn for each.
 *
 * @param {string} path
 * @param {unknown} body
 * @param {AbortSignal} [abort]
 * @param {(response: Response) => void} [meet] is told of the answer before its first event
 * @returns {AsyncGenerator<any[], void, void>}
 */
export async function* batches(path, body, abort, meet) {
  const response = await request(path, body, abort);
  meet?.(response);
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  let isWhole = false;
  try {
    yield* batchesOf(reader, abort);
    isWhole = true;
  } finally {
    if (!isWhole) reader.cancel().catch(() => undefined); // nobody reads on: the server need not write on
  }
}

/**
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {AbortSignal} [abort]
 * @returns {AsyncGenerator<any[], void, void>}
 */
async function* batchesOf(reader, abort) {
  const cut = eventCutter();
  for (;;) {
    const { done, value } = await read(reader, abort);
    if (done) throw unanswered("the stream ended before its end");
    const data = cut(value).filter((event) => event.startsWith("data: ")).map((event) => event.slice(6));
    const end = data.indexOf("[DONE]");
    const events = (end < 0 ? data : data.slice(0, end)).map((one) => JSON.parse(one));
    if (events.length > 0) isReachable.value = true;
    const failed = events.findIndex((event) => event.error);
    if (failed !== 0 && events.length > 0) yield failed < 0 ? events : events.slice(0, failed);
    if (failed >= 0) throw failure(events[failed].error);
    if (end >= 0) return;
  }
}

/**
 * A function from bytes, as they come, to the events that they complete. What belongs to an event
 * that is not complete is kept in pieces: one may be long.
 *
 * @returns {(bytes: Uint8Array) => string[]}
 */
export function eventCutter() {
  const decoder = new TextDecoder();
  /** @type {string[]} */
  let pieces = [];
  return (bytes) => {
    const text = decoder.decode(bytes, { stream: true });
    const before = pieces.at(-1) ?? "";
    const isCompleted = text.includes("\n\n") || (before.endsWith("\n") && text.startsWith("\n"));
    pieces.push(text);
    if (!isCompleted) return [];
    const events = pieces.join("").split("\n\n");
    pieces = [/** @type {string} */ (events.pop())];
    return events;
  };
}

/**
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {AbortSignal} [abort]
 */
async function read(reader, abort) {
  try {
    return await reader.read();
  } catch (error) {
    if (abort?.aborted) throw error;
    throw unanswered(/** @type {Error} */ (error).message);
  }
}

/** @param {{ message: string, param?: string | null }} error */
function failure({ message, param }) {
  return new ApiError(message, 500, param ?? null);
}
