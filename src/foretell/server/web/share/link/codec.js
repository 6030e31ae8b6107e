/**
 * The code of a link: JSON, deflated, in base64url, after the code's version. Pure functions.
 *
 * @typedef {Object} Link
 * @property {string} model
 * @property {string} version foretell's, of the server that wrote the text
 * @property {import("../../state/tree.js").Prompt} prompt with its ids
 * @property {{ id: number, origin: import("../../text/token.js").Token["origin"] }[]} tokens
 * @property {string[]} texts what the tokens say, cut where a run begins or ends
 * @property {import("../../state/runs.js").Run[]} runs
 * @property {Record<string, any>} settings those of the form
 */

/** What is wrong with a link. */
export class LinkError extends Error {
  /**
   * @param {"damaged" | "newer" | "large"} kind
   * @param {string} [detail]
   */
  constructor(kind, detail = "") {
    super(detail);
    this.name = "LinkError";
    this.kind = kind;
  }
}

const VERSION = "1";
const MOST_BYTES = 1 << 20;
const MOST_CHARACTERS = 1 << 20;
const MOST_PROMPT = 1 << 17;
const MOST_TOKENS = 1 << 14;
const MOST_RUNS = 1 << 10;
const MOST_DEPTH = 4; // settings are values, lists, and lists of pairs
const ORIGINS = /** @type {const} */ (["generated", "chosen", "typed"]);
const ROLES = ["system", "developer", "user", "assistant"];

/** Fields of a request that are no settings: a link may not say them. */
const NO_SETTINGS = new Set(["prompt", "messages", "model", "stream", "stream_options", "repeat_tokens", "logprobs", "trace", "echo"]);

/**
 * @param {Link} link
 * @returns {Promise<string>}
 */
export async function encode(link) {
  const { prompt, tokens, runs } = link;
  const data = {
    m: link.model,
    f: link.version,
    p: prompt.mode === "text" ? prompt.text : prompt.messages.map(({ role, content }) => [role, content]),
    i: prompt.ids,
    t: tokens.map((token) => token.id),
    o: tokens.map((token) => ORIGINS.indexOf(token.origin)).join("").replace(/0+$/, ""),
    x: link.texts,
    r: runs.map((run) => [run.start, run.end, run.settings]),
    s: link.settings,
  };
  const packed = await through(new TextEncoder().encode(JSON.stringify(data)), new CompressionStream("deflate-raw"));
  const code = `${VERSION}.${toBase64Url(packed)}`;
  await decode(code); // nobody shall get a link that cannot be opened
  return code;
}

/**
 * What a code says; LinkError where it is none.
 *
 * @param {string} code
 * @returns {Promise<Link>}
 */
export async function decode(code) {
  const found = /^(\d{1,3})\.([A-Za-z0-9_-]+)$/.exec(code.length > MOST_CHARACTERS ? "" : code);
  if (found === null) throw new LinkError(code.length > MOST_CHARACTERS ? "large" : "damaged");
  if (Number(found[1]) > Number(VERSION)) throw new LinkError("newer", found[1]);
  if (found[1] !== VERSION) throw new LinkError("damaged");
  return linkOf(await unpacked(found[2]));
}

/** @param {string} text */
async function unpacked(text) {
  try {
    const bytes = await through(fromBase64Url(text), new DecompressionStream("deflate-raw"));
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw error instanceof LinkError ? error : new LinkError("damaged");
  }
}

/**
 * @param {any} data
 * @returns {Link}
 */
function linkOf(data) {
  must(isRecord(data), "no object");
  must(isText(data.m, 500) && isText(data.f, 100), "model");
  const tokens = idsOf(data.t, MOST_TOKENS, "ids of the text");
  const origins = data.o ?? "";
  must(typeof origins === "string" && /^[012]*$/.test(origins) && origins.length <= tokens.length, "origins");
  must(Array.isArray(data.x) && data.x.length <= 2 * MOST_RUNS + 1 && data.x.every((/** @type {any} */ one) => isText(one)), "texts");
  return {
    model: data.m,
    version: data.f,
    prompt: { ...promptOf(data.p), ids: idsOf(data.i, MOST_PROMPT, "ids of the prompt") },
    tokens: tokens.map((id, index) => ({ id, origin: ORIGINS[Number(origins[index] ?? 0)] })),
    texts: data.x,
    runs: runsOf(data.r, tokens.length),
    settings: settingsOf(data.s),
  };
}

/** @param {any} value */
function promptOf(value) {
  if (isText(value)) return { mode: /** @type {const} */ ("text"), text: value, messages: [] };
  must(Array.isArray(value) && value.length > 0 && value.length <= 1000, "prompt");
  const messages = value.map((/** @type {any} */ one) => {
    must(Array.isArray(one) && ROLES.includes(one[0]) && isText(one[1]), "messages");
    return { role: one[0], content: one[1] };
  });
  return { mode: /** @type {const} */ ("chat"), text: "", messages };
}

/**
 * @param {any} value
 * @param {number} most
 * @param {string} what
 * @returns {number[]}
 */
function idsOf(value, most, what) {
  must(Array.isArray(value) && value.length <= most, what);
  must(value.every((/** @type {any} */ one) => Number.isInteger(one) && one >= 0 && one < 2 ** 31), what);
  return value;
}

/**
 * @param {any} value
 * @param {number} num_tokens
 * @returns {import("../../state/runs.js").Run[]}
 */
function runsOf(value, num_tokens) {
  must(Array.isArray(value) && value.length <= MOST_RUNS, "runs");
  let last = 0;
  return value.map((/** @type {any} */ one) => {
    must(Array.isArray(one) && one.slice(0, 2).every(Number.isInteger), "runs");
    const [start, end, settings] = one;
    must(last <= start && start < end && end <= num_tokens, "runs");
    last = end;
    return { start, end, settings: settingsOf(settings) };
  });
}

/**
 * @param {any} value
 * @returns {Record<string, any>}
 */
function settingsOf(value) {
  must(isRecord(value), "settings");
  for (const [name, one] of Object.entries(value)) {
    const isName = /^[a-z][a-z0-9_]{0,63}$/.test(name) && !NO_SETTINGS.has(name);
    must(isName && isNoDeeper(one, MOST_DEPTH), `settings: ${name.slice(0, 64)}`);
  }
  return value;
}

/**
 * Whether lists and objects stand in each other no deeper than that.
 *
 * @param {any} value
 * @param {number} most
 * @returns {boolean}
 */
function isNoDeeper(value, most) {
  if (typeof value !== "object" || value === null) return true;
  return most > 0 && Object.values(value).every((one) => isNoDeeper(one, most - 1));
}

/** @param {any} value */
function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * @param {any} value
 * @param {number} [most]
 */
function isText(value, most = MOST_BYTES) {
  return typeof value === "string" && value.length <= most;
}

/**
 * @param {boolean} isRight
 * @param {string} what
 */
function must(isRight, what) {
  if (!isRight) throw new LinkError("damaged", what);
}

/**
 * The bytes that a stream makes of bytes, if they are not too many.
 *
 * @param {Uint8Array} bytes
 * @param {{ readable: ReadableStream, writable: WritableStream }} stream
 */
async function through(bytes, stream) {
  const writer = stream.writable.getWriter();
  writer.write(bytes).catch(() => undefined); // reading fails as well, and is what is waited for
  writer.close().catch(() => undefined);
  const reader = stream.readable.getReader();
  const parts = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    size += value.length;
    if (size > MOST_BYTES) {
      reader.cancel().catch(() => undefined);
      throw new LinkError("large");
    }
  }
  return concatenated(parts, size);
}

/**
 * @param {Uint8Array[]} parts
 * @param {number} size
 */
function concatenated(parts, size) {
  const whole = new Uint8Array(size);
  let end = 0;
  for (const part of parts) {
    whole.set(part, end);
    end += part.length;
  }
  return whole;
}

/** @param {Uint8Array} bytes */
function toBase64Url(bytes) {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** @param {string} text */
function fromBase64Url(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (one) => one.charCodeAt(0));
}
