// Servers of the tests, each a process of its own on a free port.
import { spawn } from "node:child_process";
import path from "node:path";
import { after } from "node:test";
import { createInterface } from "node:readline";
import { ROOT, python } from "./packages.mjs";

/**
 * A server of a toy model, which improvises. Ended with the tests of the file.
 *
 * Without a chat template's marks its tokens are bytes (" cat" and "the" are one each), so that
 * Korean characters have three tokens each, and emoji four.
 *
 * @param {{ lines?: string[], rate?: number, keys?: string[] }} [options]
 *   lines: texts that it leans to once a prompt is the beginning of one (greedy follows it to its
 *   end); rate: tokens a second at most; keys: one of which requests must bring
 * @returns {Promise<Server>}
 */
export function toyServer({ lines = [], rate, keys = [] } = {}) {
  const options = ["--lines", JSON.stringify(lines), ...keys.flatMap((key) => ["--key", key])];
  if (rate !== undefined) options.push("--rate", String(rate));
  return start(options);
}

/**
 * `foretell serve` with the default model. `reason` says why there is none, where it is not at hand.
 *
 * @returns {Promise<Server>}
 */
export function realServer() {
  return start(["--real"]);
}

let isTesting = false;

/** Servers are started before a file's tests are: it waits for them, and its end would come meanwhile. */
export function beginTests() {
  isTesting = true;
}

/**
 * @typedef {{ url: string, reason: string | null, close: () => Promise<void> }} Server
 *
 * @param {string[]} options
 * @returns {Promise<Server>}
 */
async function start(options) {
  if (isTesting) throw new Error("servers must be started before the first pageTest");
  const environment = { ...process.env, PYTHONPATH: "tests" };
  const process_ = spawn(python(), ["-m", "support.web_server", ...options], {
    cwd: ROOT,
    env: environment,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => process_.once("exit", resolve));
  const close = async () => {
    process_.stdin.end();
    await ended;
  };
  const found = await Promise.race([firstLine(process_.stdout), ended]);
  if (typeof found !== "string") throw new Error(`the server ended: ${path.basename(python())} ${options}`);
  after(close);
  const { url = "", reason = null } = JSON.parse(found);
  return { url, reason, close };
}

async function firstLine(output) {
  for await (const line of createInterface({ input: output })) return line;
  return undefined;
}
