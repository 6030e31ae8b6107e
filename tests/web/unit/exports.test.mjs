// What leaves the page: a shell reads back each word, Python each value, HTML each character.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { escapeHtml, htmlPage, levelOf } from "../../../src/foretell/server/web/share/export/html.js";
import { literal, pythonProgram } from "../../../src/foretell/server/web/share/export/python.js";
import { optionsOf, quoted, shellLine } from "../../../src/foretell/server/web/share/export/shell.js";
import { partsOf } from "../../../src/foretell/server/web/share/export/parts.js";

const NASTY = [
  "plain", "two words", "it's", 'a "quote"', "$HOME `id` $(id) \\", "!history", "a\nb\n", "\ttab", "", "한국어 🐈", "-n", "*?[a]",
  "#no", "~", "a;b|c&d", "\r\n", "\u2028", "</script><b>",
];

test("a shell reads each word back", () => {
  const told = execFileSync("sh", ["-c", `printf '%s\\036' ${NASTY.map(quoted).join(" ")}`], { encoding: "utf8" });
  assert.deepEqual(told.split("\x1e").slice(0, -1), NASTY);
});

const HOSTILE = [
  "\x15touch x\n", "\x1b[201~; touch x\n", "\x03", "a\x00b".replace("\0", ""), "\x7f\x9b31m", "\u202ecod\u202c", "a\u200bb\ufeff", "'\x1b'",
];

test("a terminal into which a word is pasted has nothing to obey, and the shell reads the same", () => {
  const words = HOSTILE.map(quoted);
  assert(words.every((word) => !/[^\P{C}\n]/u.test(word)));
  const told = execFileSync("sh", ["-c", `printf '%s\\036' ${words.join(" ")}`], { encoding: "utf8" });
  assert.deepEqual(told.split("\x1e").slice(0, -1), HOSTILE);
});

test("settings of a forged link are words, whatever they are", () => {
  const evil = "$(touch x); `touch x` 'x";
  const settings = {
    early_stopping: evil, repetition_detection: { a: evil, b: [evil] }, logit_bias: { [evil]: evil }, suppress_tokens: [evil],
    do_sample: evil, top_k: { a: evil }, bad_words_ids: [[evil]], stop: [evil], seed: evil,
  };
  const line = shellLine({ prompt: evil, isTemplated: false, model: evil, settings });
  const run = (input) => execFileSync("sh", { input, encoding: "utf8", cwd: mkdtempSync(path.join(tmpdir(), "words-")) });
  const told = run(`foretell() { printf '%s\\036' "$@"; ls; }\n${line}\n`);
  assert(told.endsWith("\x1e"), told);
  assert.equal(told.split(evil).length - 1, 11);
});

test("a prompt too long for a word of a command comes another way, whole", () => {
  const prompt = "it's 긴 글 \n\n".repeat(12_000);
  const line = shellLine({ prompt, isTemplated: false, model: "", settings: {} });
  const told = execFileSync("sh", { input: `foretell() { cat; }\n${line}\n`, encoding: "utf8", maxBuffer: 1 << 24 });
  assert.equal(told, `${prompt}\n`);
});

test("a line begins with the prompt, and has the command's options", () => {
  const settings = { temperature: 0.8, top_k: 50, seed: 7, do_sample: true, ignore_eos: false, logprobs: 5, stop: ["a b", "."] };
  assert.equal(
    shellLine({ prompt: "The cat", isTemplated: false, model: "toy", settings }),
    "foretell generate 'The cat' --quiet --model toy --temperature=0.8 --top-k=50 --seed=7 --do-sample --stop='a b' --stop=.",
  );
});

test("a prompt that begins like an option is none", () => {
  const line = (prompt) => shellLine({ prompt, isTemplated: false, model: "", settings: { seed: 1 } });
  assert.equal(line("-n"), "foretell generate --quiet --seed=1 -- -n");
  assert.equal(line("-"), "printf %s - | foretell generate --quiet --seed=1");
});

test("values have the forms that the command reads", () => {
  const told = optionsOf({
    logit_bias: [[12, -2], [" the", "-inf"], ["7", 1]],
    sequence_bias: [[[1, 2], -3]],
    bad_words_ids: [[1, 2], [3]],
    suppress_tokens: [4, 5],
    early_stopping: false,
    frequency_penalty: -0.5,
    processors: ["top_k", "temperature"],
    ignore_eos: true,
    repetition_detection: true,
    force_words: ["a cat", "[x]", ["dog", "dogs"], [1, 2]],
    max_time: null,
  });
  assert.deepEqual(told, [
    "--logit-bias=12=-2", `--logit-bias='" the"=-inf'`, `--logit-bias='"7"=1'`, "--sequence-bias=1,2=-3", "--bad-words-ids=1,2", "--bad-words-ids=3",
    "--suppress-tokens=4,5", "--early-stopping=off", "--frequency-penalty=-0.5", "--processors=top_k,temperature", "--ignore-eos",
    "--repetition-detection=on", "--force-words='a cat'", `--force-words='["[x]"]'`, `--force-words='["dog","dogs"]'`, "--force-words='[1,2]'",
  ]);
});

const python = (code) => execFileSync(process.env.PYTHON_OF_TESTS ?? "python3", ["-c", code], { encoding: "utf8" });

test("Python reads each value back", () => {
  const value = { texts: NASTY, nothing: null, yes: true, no: false, number: -0.5, more: [1, [2]] };
  assert.deepEqual(JSON.parse(python(`import json; print(json.dumps(${literal(value)}))`)), value);
});

test("a program is one Python can read, whatever the text is", () => {
  const run = { kind: "run", settings: { temperature: 0.8, top_k: 40, seed: 7, max_new_tokens: 20, logit_bias: { 5: -1, a: 1 } } };
  const programs = NASTY.flatMap((text) => {
    const parts = [run, { kind: "ids", ids: [1, 2], text }, run];
    const chat = [{ role: "user", content: text }];
    return [
      pythonProgram({ model: "toy", prompt: chat, promptIds: [1], parts }),
      pythonProgram({ model: "toy", prompt: text, promptIds: [1], parts: [run] }),
    ];
  });
  python(`import ast\nfor one in ${JSON.stringify(programs)}: ast.parse(one)`);
});

test("a branch is what wrote it, in order", () => {
  const token = (id, origin) => ({ id, origin, text: "", bytes: [65 + id], logprob: null, rank: null, step: null });
  const tokens = [token(0, "generated"), token(1, "chosen"), token(2, "generated"), token(3, "typed")];
  const runs = [{ start: 0, end: 1, settings: { seed: 1 } }, { start: 2, end: 3, settings: { seed: 1 } }];
  assert.deepEqual(partsOf(tokens, runs), [
    { kind: "run", settings: { seed: 1, max_new_tokens: 1 } },
    { kind: "ids", ids: [1], text: "B" },
    { kind: "run", settings: { seed: 1, max_new_tokens: 1 } },
    { kind: "ids", ids: [3], text: "D" },
  ]);
});

test("a text never is markup", () => {
  assert.equal(escapeHtml("a\rb\ud800\u202e\0\ud83d\udc08"), "a&#13;b\ufffd\ufffd\ufffd\ud83d\udc08");
  assert.equal(escapeHtml(`<b a="x" c='y'>&`), "&lt;b a=&quot;x&quot; c=&#39;y&#39;&gt;&amp;");
  const hostile = "</p><script>alert(1)</script><img src=x onerror=alert(1)>";
  const token = { id: 1, text: hostile, bytes: [...Buffer.from(hostile)], origin: "generated", logprob: -9, rank: 2, step: null };
  const names = "title prompt text tokens token probability logprob rank entropy draw origin generated chosen typed shades".split(" ");
  const words = Object.fromEntries(names.map((name) => [name, hostile]));
  const page = htmlPage({ language: "en", prompt: hostile, tokens: [token], facts: [[hostile, hostile]], words });
  assert(!/<(script|img)/.test(page));
  assert(page.includes("&lt;script&gt;"));
});

test("shades begin at a half", () => {
  assert.deepEqual([0.9, 0.5, 0.12, 0.03, 0.001].map((p) => levelOf(-Math.log(p))), [0, 1, 2, 3, 4]);
});
