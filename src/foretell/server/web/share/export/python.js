/** A text as a program in Python: pure functions. */

import { biasesOf } from "./biases.js";

const LEFT_OUT = new Set(["logprobs", "trace", "stream", "max_time"]);

/**
 * @typedef {{ kind: "run", settings: Record<string, any> } | { kind: "ids", ids: number[], text: string }} Part
 *   what one request wrote, or the reader chose or typed
 *
 * @typedef {Object} Wanted
 * @property {string} model
 * @property {string | { role: string, content: string }[]} prompt
 * @property {number[]} promptIds
 * @property {Part[]} parts
 */

/**
 * @param {Wanted} wanted
 */
export function pythonProgram({ model, prompt, promptIds, parts }) {
  const [first] = parts;
  if (typeof prompt === "string" && parts.length === 1 && first.kind === "run") {
    return whole(model, [
      `    output = llm.generate(${call(literal(prompt), first.settings, "        ")})`,
      "    print(output.text)",
    ]);
  }
  return whole(model, [
    ...commented(typeof prompt === "string" ? prompt : prompt.map((one) => `${one.role}: ${one.content}`).join("\n")),
    `    prompt = ${idList(promptIds)}`,
    "    ids = [*prompt]",
    ...parts.flatMap(linesOf),
    "    print(llm.tokenizer.decode(ids[len(prompt) :]))",
  ]);
}

/**
 * @param {string} model
 * @param {string[]} lines
 */
function whole(model, lines) {
  return ["from foretell import LLM", "", `with LLM(${literal(model)}) as llm:`, ...lines, ""].join("\n");
}

/** @param {Part} part */
function linesOf(part) {
  if (part.kind === "ids") return [`    ids += ${idList(part.ids)}  # ${oneLine(part.text)}`];
  return [`    ids += llm.generate(${call("ids", part.settings, "        ")}).token_ids`];
}

/**
 * The arguments of a call, a line each where there are many.
 *
 * @param {string} prompt
 * @param {Record<string, any>} settings
 * @param {string} indent
 */
function call(prompt, settings, indent) {
  const named = Object.entries(settings)
    .filter(([name, value]) => !LEFT_OUT.has(name) && value !== undefined && value !== null)
    .map(([name, value]) => `${name}=${name === "logit_bias" ? biases(value) : literal(value)}`);
  const all = [prompt, ...named];
  const line = all.join(", ");
  return line.length < 60 ? line : `\n${all.map((one) => `${indent}${one},\n`).join("")}${indent.slice(4)}`;
}

/**
 * A value as Python writes it.
 *
 * @param {any} value
 * @returns {string}
 */
export function literal(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([key, one]) => `${literal(key)}: ${literal(one)}`).join(", ")}}`;
  return typeof value === "string" ? textLiteral(value) : number(value);
}

/** @param {number} value */
function number(value) {
  return Number.isFinite(value) ? String(value) : `float("${value}")`;
}

/** @param {string} text JSON's escapes are Python's too; what is not seen is spelled out */
function textLiteral(text) {
  return JSON.stringify(text).replace(/[\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, escaped);
}

/** @param {string} one */
function escaped(one) {
  return `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** @param {any} value */
function biases(value) {
  return `{${biasesOf(value).map(([token, bias]) => `${literal(token)}: ${literal(bias)}`).join(", ")}}`;
}

/** @param {number[]} ids */
function idList(ids) {
  return `[${ids.join(", ")}]`;
}

/** @param {string} text */
function commented(text) {
  return text.split(/[\r\n\u2028\u2029\f\v\u0085\u001c-\u001e]+/).map((line) => `    # ${oneLine(line)}`.trimEnd());
}

/** @param {string} text */
function oneLine(text) {
  return textLiteral(text).slice(1, -1).replaceAll('\\"', '"');
}
