// Links, and what leaves the page as a file or a command.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { decode, encode } from "../../../src/foretell/server/web/share/link/codec.js";
import { checkAccessible, checkLooks, newContext, openPage, pageTest, realServer, toyServer } from "../support/browser.mjs";
import { PATIENCE, comesTo, counted } from "../support/eventually.mjs";
import { ROOT, python } from "../support/packages.mjs";
import { button, generateWith, idsOf, stateOf, useSettings, written } from "../support/writing.mjs";

const server = await toyServer({ lines: [] });
const other = await toyServer({ lines: [], rate: 9000 });
const real = await realServer();
const SETTINGS = { temperature: 0.9, top_k: 40, max_new_tokens: 12 };

/** What a button puts into the clipboard. */
async function copied(page, name) {
  if (!(await button(page, name).isVisible())) await page.getByText("Share", { exact: true }).click();
  await button(page, name).click();
  await page.locator(".share").getByText(/^Copied: /).waitFor();
  return page.evaluate(() => navigator.clipboard.readText());
}

/** A page of a fresh browser, with an address. */
async function fresh(t, address) {
  const context = await newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await openPage(page, address);
  return page;
}

pageTest("a link opens in a fresh browser with the same text, written again", server, async (page, { t }) => {
  await generateWith(page, "고양이는 <b>", SETTINGS);
  const before = await stateOf(page);
  const link = await copied(page, "Copy a link");
  const there = await fresh(t, link);
  await there.getByText("Written again here: all 12 tokens are the same.").waitFor();
  const after = await stateOf(there);
  assert.deepEqual(after.tokens, before.tokens);
  assert.equal(after.prompt.text, "고양이는 <b>");
  await comesTo(() => new URL(there.url()).hash, "");
  await useSettings(there, { ...SETTINGS, max_new_tokens: 5 });
  await button(there, "Continue").click();
  await there.waitForFunction(() => document.querySelectorAll(".flow [data-index]").length > 12);
  await checkLooks(there, "link");
});

pageTest("a link with what was chosen and typed is written again around it", server, async (page, { t }) => {
  await generateWith(page, "the dog", { ...SETTINGS, seed: 4 });
  await button(page, "Edit").click();
  const field = page.getByRole("textbox", { name: "Edited text" });
  await field.fill(`${(await field.inputValue()).slice(0, 6)} and then`);
  await button(page, "Done, and continue").click();
  await page.getByRole("treeitem").nth(1).waitFor();
  await written(page);
  const before = await stateOf(page);
  const there = await fresh(t, await copied(page, "Copy a link"));
  await there.getByText("are the same.").waitFor();
  const after = await stateOf(there);
  assert.deepEqual(after.tokens.map(({ id, origin }) => [id, origin]), before.tokens.map(({ id, origin }) => [id, origin]));
});

/** A link, changed by a function on its data. */
async function changed(link, change) {
  const [address, code] = link.split("#text=");
  const data = await decode(code);
  change(data);
  return `${address}#text=${await encode(data)}`;
}

pageTest("a link that comes out otherwise names the first difference", server, async (page, { t }) => {
  await generateWith(page, "the dog", { ...SETTINGS, seed: 4 });
  const { tokens } = await stateOf(page);
  const link = await copied(page, "Copy a link");
  const forged = await changed(link, ({ tokens: [, , , , , sixth] }) => (sixth.id = (sixth.id + 1) % 100));
  const there = await fresh(t, forged);
  const told = there.getByText("Written again here, it first differs at token 6:");
  await told.waitFor();
  const after = await stateOf(there);
  assert.deepEqual(after.branches.map((one) => one.start), [0, 5]);
  assert.equal(after.branches[1].tokens[0].id, tokens[5].id);
  assert.equal(after.branches[1].name, "Written here");
});

pageTest("a link of another model is shown as text, and says where this one differs", server, async (page, { t }) => {
  await generateWith(page, "the dog", { ...SETTINGS, seed: 4 });
  const { text } = await stateOf(page);
  const link = await copied(page, "Copy a link");
  const foreign = await changed(link, (data) => Object.assign(data, { model: "elsewhere-7b", texts: ["", "the xylophone", ""] }));
  const there = await fresh(t, foreign);
  await there.getByText("The link was made with elsewhere-7b and foretell").waitFor();
  await there.getByText("it first differs at token").waitFor();
  const after = await stateOf(there);
  assert.equal(after.text, "the xylophone");
  assert.notEqual(text, after.text);
  assert.equal(after.branches.length, 2);
});

pageTest("the same link on another server of the model gives the same", server, async (page, { t }) => {
  await generateWith(page, "the dog", SETTINGS);
  const { hash } = new URL(await copied(page, "Copy a link"));
  const there = await fresh(t, `${other.url}${hash}`);
  await there.getByText("all 12 tokens are the same.").waitFor();
  assert.deepEqual(await idsOf(there), await idsOf(page));
});

pageTest("a text longer than one answer is written again in pieces", server, async (page, { t }) => {
  page.context().setDefaultTimeout(4 * PATIENCE);
  await generateWith(page, "the dog", { ...SETTINGS, max_new_tokens: 1100 });
  const there = await fresh(t, await copied(page, "Copy a link"));
  await there.getByText("all 1100 tokens are the same.").waitFor({ timeout: 4 * PATIENCE });
  assert.deepEqual(await idsOf(there), await idsOf(page));
});

pageTest("a hostile link gives an error and nothing else", server, async (page, { t }) => {
  for (const code of ["", "1.", "1.AAAA", "9.abc", "<script>alert(1)</script>", "1.%3Cimg", `1.${"A".repeat(5000)}`]) {
    const there = await fresh(t, `${server.url}#text=${code}`);
    await there.getByRole("alert").waitFor();
    const { branches, shelf, tokens } = await stateOf(there);
    assert.deepEqual([branches.length, shelf.length, tokens.length], [1, 0, 0]);
    await counted(there.locator("main script, main img"), 0);
  }
});

pageTest("an id that the model has not is refused in the server's words", server, async (page, { t }) => {
  await generateWith(page, "the dog", SETTINGS);
  const link = await copied(page, "Copy a link");
  const there = await fresh(t, await changed(link, (data) => (data.tokens[1].id = 2147483647)));
  await there.getByRole("alert").getByText("2147483647").waitFor();
});

pageTest("a page without scripts has the text and a row a token", server, async (page, { context }) => {
  await generateWith(page, "<script>alert(1)</script>", { ...SETTINGS, seed: 4 });
  await page.getByText("Share", { exact: true }).click();
  const loading = page.waitForEvent("download");
  await button(page, "Download HTML page").click();
  const text = readFileSync(await (await loading).path(), "utf8");
  assert(!/<script/i.test(text) && !/\b(src|href)=/.test(text));
  const there = await context.newPage();
  await there.setContent(text);
  await counted(there.locator("tbody tr"), 12);
  assert.equal(await there.locator(".text").textContent(), `<script>alert(1)</script>${(await stateOf(page)).text}`);
  await checkLooks(there, "export");
  await checkAccessible(there);
});

pageTest("JSON has every branch and step", server, async (page) => {
  await generateWith(page, "the dog", SETTINGS);
  await page.getByText("Share", { exact: true }).click();
  const loading = page.waitForEvent("download");
  await button(page, "Download JSON").click();
  const data = JSON.parse(readFileSync(await (await loading).path(), "utf8"));
  const state = await stateOf(page);
  assert.deepEqual(data.branches, state.branches);
  assert.deepEqual([data.model, data.prompt.text, data.text], ["toy", "the dog", state.text]);
  assert(Array.isArray(data.prompt.ids));
});

const environment = { ...process.env, PATH: `${path.dirname(python())}:${process.env.PATH}` };
const run = (program, ...words) => execFileSync(program, words, { cwd: ROOT, env: environment, encoding: "utf8" });

pageTest("the shell line gives the same text", real, async (page) => {
  const prompts = ["It's a \"quiet\" night; $HOME and `the`", "-n is an option"];
  for (const prompt of prompts) {
    await generateWith(page, prompt, { ...SETTINGS, seed: 4, logit_bias: { " the": -2 }, stop: ["@@ x"] });
    const line = await copied(page, "Copy Shell line");
    assert.equal(run("sh", "-c", line).replace(/\n$/, ""), (await stateOf(page)).text.replace(/\n$/, ""));
  }
});

pageTest("the shell line of a conversation gives the same text", real, async (page) => {
  await page.getByRole("radio", { name: "Chat" }).check();
  await page.getByRole("textbox", { name: "Message 1" }).fill("Say it's late.");
  await useSettings(page, { ...SETTINGS, max_new_tokens: 8 });
  await button(page, "Generate").click();
  await page.locator(".flow [data-index]").first().waitFor();
  await written(page);
  const line = await copied(page, "Copy Shell line");
  const { text } = await stateOf(page);
  assert.equal(run("sh", "-c", line).replace(/\n$/, ""), text.replace("<|im_end|>", "").replace(/\n$/, ""));
});

pageTest("the program in Python gives the same text, forks and edits too", real, async (page) => {
  await generateWith(page, "Once upon a time", { ...SETTINGS, seed: 6 });
  const once = await copied(page, "Copy Python");
  assert.equal(run(python(), "-c", once), `${(await stateOf(page)).text}\n`);
  await button(page, "Edit").click();
  const field = page.getByRole("textbox", { name: "Edited text" });
  await field.fill(`${(await field.inputValue()).slice(0, 10)} "wild" 고양이`);
  await button(page, "Done, and continue").click();
  await page.getByRole("treeitem").nth(1).waitFor();
  await written(page);
  const twice = await copied(page, "Copy Python");
  assert.equal(run(python(), "-c", twice), `${(await stateOf(page)).text}\n`);
});
