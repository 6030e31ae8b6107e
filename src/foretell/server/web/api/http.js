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
 * The answer to a request; ApiError where it is an error or none comes. Whether it is this server's,
 * who reads it knows.
 *
 * @param {string} path as "v1/models"
 * @param {unknown} [body] sent as JSON; none: the request is a GET
 * @param {AbortSignal} [abort]
 * @returns {Promise<Response>}
 */
export async function request(path, body, abort) {
  const sent = key.value;
  const response = await send(path, body, abort);
  if (response.ok) return response;
  if (response.status === 401 && sent === key.value) isKeyNeeded.value = true;
  throw refusal(response, await textOf(response, abort));
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
  const text = await textOf(response, abort);
  const found = parsed(text);
  if (found === undefined) throw unanswered(`${path} was answered with what is no JSON: ${shortened(text)}`);
  isReachable.value = true;
  return found;
}

/** @param {string} text @returns {any} undefined: it is no JSON */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * @param {string} path
 * @param {unknown} body
 * @param {AbortSignal} [abort]
 */
async function send(path, body, abort) {
  /** @type {Record<string, string>} */
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  if (key.value) headers.Authorization = `Bearer ${byteString(key.value)}`;
  try {
    return await fetch(new URL(path, ROOT), {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: abort,
    });
  } catch (error) {
    if (abort?.aborted) throw error;
    throw unanswered(/** @type {Error} */ (error).message);
  }
}

/**
 * The body of an answer; ApiError where it breaks off.
 *
 * @param {Response} response
 * @param {AbortSignal} [abort]
 */
async function textOf(response, abort) {
  try {
    return await response.text();
  } catch (error) {
    if (abort?.aborted) throw error;
    throw unanswered(/** @type {Error} */ (error).message);
  }
}

/**
 * That no answer came, or none of this server.
 *
 * @param {string} message
 */
export function unanswered(message) {
  isReachable.value = false;
  return new ApiError(message, 0, null);
}

/** What a proxy answers with in place of a server that it does not reach. */
const GATEWAY = [502, 503, 504];

/**
 * @param {Response} response
 * @param {string} text its body
 */
function refusal({ status, statusText }, text) {
  const told = toldError(text);
  if (told === null && GATEWAY.includes(status)) return unanswered(`${status} ${statusText}`);
  const message = told?.message ?? `${status} ${statusText}: ${shortened(text)}`;
  isReachable.value = true;
  return new ApiError(message, status, told?.param ?? null);
}

/**
 * @param {string} text
 * @returns {{ message: string, param?: string | null } | null} null: these are no words of the server
 */
function toldError(text) {
  try {
    const { error } = JSON.parse(text);
    return typeof error.message === "string" ? error : null;
  } catch {
    return null;
  }
}

/** @param {string} text as much of it as fits into a notice */
function shortened(text) {
  const line = text.slice(0, 2000).replace(/\s+/g, " ").trim();
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

/**
 * A text's bytes in UTF-8, each as a character, as headers want them.
 *
 * @param {string} text
 */
function byteString(text) {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}
