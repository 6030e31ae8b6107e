/** Requests to the server this page comes from. */

import { isKeyNeeded, key } from "./key.js";
import { isReachable } from "./reachable.js";

/** What the server refused, in its own words. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status 0: no answer came
   * @param {string | null} param the field that is wrong, if one is
   */
  constructor(message, status, param) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.param = param;
  }
}

/** Paths are relative to the page: it may be served below another address. */
const ROOT = new URL("./", globalThis.document?.baseURI ?? "http://localhost/");

/**
 * The answer to a request; ApiError where it is an error or none comes.
 *
 * @param {string} path as "v1/models"
 * @param {unknown} [body] sent as JSON; none: the request is a GET
 * @param {AbortSignal} [abort]
 * @returns {Promise<Response>}
 */
export async function request(path, body, abort) {
  const response = await send(path, body, abort);
  if (response.ok) return response;
  if (response.status === 401) isKeyNeeded.value = true;
  throw await refusal(response);
}

/**
 * The JSON that a request is answered with.
 *
 * @param {string} path
 * @param {unknown} [body]
 * @param {AbortSignal} [abort]
 * @returns {Promise<any>}
 */
export async function json(path, body, abort) {
  const response = await request(path, body, abort);
  return response.json();
}

/**
 * @param {string} path
 * @param {unknown} body
 * @param {AbortSignal} [abort]
 */
async function send(path, body, abort) {
  /** @type {Record<string, string>} */
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  if (key.value) headers.Authorization = `Bearer ${key.value}`;
  try {
    const response = await fetch(new URL(path, ROOT), {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: abort,
    });
    isReachable.value = true;
    return response;
  } catch (error) {
    if (abort?.aborted) throw error;
    isReachable.value = false;
    throw new ApiError(String(error), 0, null);
  }
}

/** @param {Response} response */
async function refusal(response) {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text);
    return new ApiError(error.message, response.status, error.param ?? null);
  } catch {
    return new ApiError(text || response.statusText, response.status, null);
  }
}
