/** A text as a line for a shell: pure functions. */

import { biasesOf } from "./biases.js";

/** Settings whose values are lists of ids, written as one value. */
const ID_LISTS = new Set([
  "xtc_exempt_tokens", "penalty_exempt_tokens", "allowed_token_ids", "suppress_tokens", "begin_suppress_tokens",
  "stop_token_ids", "eos_token_id", "forced_eos_token_id", "dola_layers", "processors", "exponential_decay_length_penalty",
  "logprobs_stage",
]);

/** Settings that are no option of the command, or have no place in one text. */
const LEFT_OUT = new Set(["logprobs", "trace", "prompt_logprobs", "logprobs_stage", "stream", "max_time"]);

/** Characters of a prompt that a command takes as a word: systems allow 128 KiB of bytes. */
const MOST_OF_A_WORD = 30_000;

/**
 * @param {{ prompt: string, isTemplated: boolean, model: string, settings: Record<string, any> }} wanted
 *   isTemplated: special tokens are written out in the prompt
 */
export function shellLine({ prompt, isTemplated, model, settings }) {
  const options = optionsOf(settings);
  const words = ["foretell", "generate", "--quiet", ...(model === "" ? [] : ["--model", quoted(model)])];
  if (isTemplated) words.push("--parse-special");
  if (prompt === "-") return `printf %s - | ${[...words, ...options].join(" ")}`;
  if (prompt.length > MOST_OF_A_WORD) return `printf '%s\\n' ${quoted(prompt)} | ${[...words, ...options].join(" ")}`;
  if (prompt.startsWith("-")) return [...words, ...options, "--", quoted(prompt)].join(" ");
  return [...words.slice(0, 2), quoted(prompt), ...words.slice(2), ...options].join(" ");
}

/** @param {Record<string, any>} settings */
export function optionsOf(settings) {
  return Object.entries(settings)
    .filter(([name, value]) => !LEFT_OUT.has(name) && value !== undefined && value !== null)
    .flatMap(([name, value]) => optionOf(name, value));
}

/**
 * @param {string} name
 * @param {any} value
 * @returns {string[]}
 */
function optionOf(name, value) {
  const flag = `--${name.replaceAll("_", "-")}`;
  if (name === "do_sample") return [value ? "--do-sample" : "--greedy"];
  if (name === "early_stopping") return [`${flag}=${quoted(value === true ? "on" : value === false ? "off" : String(value))}`];
  if (name === "logit_bias" || name === "sequence_bias") {
    return biasesOf(value).map(([token, bias]) => `${flag}=${quoted(`${tokenOf(token)}=${bias}`)}`);
  }
  if (name === "force_words") {
    return [value].flat().map((one) => `${flag}=${quoted(typeof one === "string" ? wordOf(one) : JSON.stringify(one))}`);
  }
  if (name === "repetition_detection") return [`${flag}=${quoted(detectionOf(value))}`];
  if (name === "watermark") return [`${flag}=${quoted(watermarkOf(value))}`];
  if (typeof value === "boolean") return value ? [flag] : [];
  if (!Array.isArray(value)) return [`${flag}=${quoted(String(value))}`];
  if (ID_LISTS.has(name)) return value.length === 0 ? [] : [`${flag}=${quoted(value.join(","))}`];
  return value.map((one) => `${flag}=${quoted(Array.isArray(one) ? one.join(",") : String(one))}`);
}

/**
 * A text that would be read as JSON is written in it.
 * @param {string} text
 */
function wordOf(text) {
  return text.startsWith("[") ? JSON.stringify([text]) : text;
}

/** @param {string | number | number[]} token */
function tokenOf(token) {
  return typeof token === "string" ? JSON.stringify(token) : String(token);
}

/** @param {any} value */
function watermarkOf(value) {
  return value === true ? "on" : Object.entries(value).map(([name, one]) => `${name}=${one}`).join(",");
}

/** @param {any} value */
function detectionOf(value) {
  return value === true ? "on" : Object.values(value).join(",");
}

/** What a terminal obeys rather than shows, and what is not seen or turns the direction of a line. */
const UNSEEN = /[\u0001-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]+/g;

/**
 * A word as a POSIX shell reads it back. A terminal into which it is pasted acts on none of it.
 *
 * @param {string} text
 */
export function quoted(text) {
  if (/^[A-Za-z0-9_./:=@%+,-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", "'\\''").replace(UNSEEN, printed)}'`;
}

/** @param {string} text characters in the middle of a quoted word, printed by the shell */
function printed(text) {
  const octal = Array.from(new TextEncoder().encode(text), (byte) => `\\${byte.toString(8).padStart(3, "0")}`);
  return `'"$(printf '${octal.join("")}')"'`;
}
