/** Answers that come as server-sent events. */

import { ApiError, request } from "./http.js";

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
  const response = await request(path, body, abort);
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await read(reader, abort);
    if (done) throw new ApiError("the stream ended before its end", 0, null);
    const events = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = /** @type {string} */ (events.pop());
    for (const event of events) {
      if (!event.startsWith("data: ")) continue; // a comment that shows that the server lives
      const data = event.slice(6);
      if (data === "[DONE]") return;
      yield checked(JSON.parse(data));
    }
  }
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
    throw new ApiError(String(error), 0, null);
  }
}

/** @param {any} data */
function checked(data) {
  if (data.error) throw new ApiError(data.error.message, 500, data.error.param ?? null);
  return data;
}
