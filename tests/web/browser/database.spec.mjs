// The browser's database fails: it is full, in use, newer, deleted; and it keeps what memory need not.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pageTest, toyServer } from "../support/browser.mjs";
import { PATIENCE, comesTo } from "../support/eventually.mjs";
import { button, generateWith, idsOf, saved, stateOf, useSettings, written } from "../support/writing.mjs";

const server = await toyServer({ lines: [] });
const SETTINGS = { temperature: 1, seed: 4, max_new_tokens: 100 };
const NOT_KEPT = /This browser keeps nothing/;

/** Load the page anew: it has what it had. */
async function checkKept(page) {
  await saved(page);
  const before = await stateOf(page);
  assert(before.tokens.length > 0);
  await page.reload();
  await page.locator(".flow [data-index]").first().waitFor();
  const after = await stateOf(page);
  assert.deepEqual(after.tokens.map(({ id, step }) => [id, step]), before.tokens.map(({ id, step }) => [id, step]));
  assert.deepEqual(after.branches.map((one) => one.tokens.length), before.branches.map((one) => one.tokens.length));
}

async function goOn(page) {
  await useSettings(page, { ...SETTINGS, max_new_tokens: 7 });
  await button(page, "Continue").click();
  await page.waitForFunction(() => document.querySelectorAll(".flow [data-index]").length > 60);
  await written(page);
}

pageTest("a database that is deleted while it is open is made anew, with all", server, async (page) => {
  await generateWith(page, "the dog", SETTINGS);
  await saved(page);
  await page.evaluate(() => new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase("foretell-playground");
    request.onsuccess = () => resolve();
    request.onblocked = () => reject(new Error("blocked"));
  }));
  await goOn(page);
  await checkKept(page);
});

pageTest("all deleted in one tab, another one goes on and keeps its whole text", server, async (page, { context, open }) => {
  await generateWith(page, "the dog", SETTINGS);
  await saved(page);
  const other = await context.newPage();
  await open(other, server.url);
  await other.getByText("Kept here", { exact: true }).click();
  await other.getByRole("button", { name: "Delete all that is kept" }).click();
  await other.getByRole("button", { name: "Delete all", exact: true }).click();
  await other.getByText("All is deleted.").waitFor();
  await goOn(page);
  await checkKept(page);
});

pageTest("a database that is full is told; once there is room, all is kept", server, async (page) => {
  await generateWith(page, "the dog", SETTINGS);
  await saved(page);
  await page.evaluate(() => {
    globalThis.put = IDBObjectStore.prototype.put;
    IDBObjectStore.prototype.put = function full() {
      this.transaction.abort();
      throw new DOMException("full", "QuotaExceededError");
    };
  });
  await goOn(page);
  await page.getByText(NOT_KEPT).first().waitFor();
  await page.evaluate(() => void (IDBObjectStore.prototype.put = globalThis.put));
  await page.getByText(NOT_KEPT).first().waitFor({ state: "detached" });
  await checkKept(page);
});

const atStart = (name, script) =>
  pageTest(name, server, async (page, { context, open }) => {
    const other = await context.newPage();
    await other.addInitScript(script);
    await open(other, `${server.url}#text=9.abc`);
    await other.getByText("made by a newer foretell").waitFor();
    await other.getByText(NOT_KEPT).waitFor();
    await generateWith(other, "the dog", SETTINGS);
    assert((await idsOf(other)).length > 0);
  });

atStart("a database that never opens keeps nothing from working", () => {
  IDBFactory.prototype.open = () => ({});
});

atStart("a database of a newer page is left alone", () => {
  const { open } = IDBFactory.prototype;
  IDBFactory.prototype.open = function newer(name) {
    open.call(this, name, 99);
    return open.call(this, name, 1);
  };
});

pageTest("five tabs have a session each", server, async (page, { context, open }) => {
  const pages = [page];
  while (pages.length < 5) pages.push(await context.newPage());
  await Promise.all(pages.slice(1).map((one) => open(one, server.url)));
  await Promise.all(pages.map((one, index) => generateWith(one, `text ${index}`, { ...SETTINGS, max_new_tokens: 20 })));
  const before = await Promise.all(pages.map(idsOf));
  await Promise.all(pages.map(saved));
  await Promise.all(pages.map((one) => one.reload()));
  await Promise.all(pages.map((one) => one.locator(".flow [data-index]").first().waitFor()));
  await comesTo(() => Promise.all(pages.map(idsOf)), before);
}, { isSlow: true });

pageTest("steps of long texts that are not shown leave memory, and come back", server, async (page) => {
  page.context().setDefaultTimeout(4 * PATIENCE);
  const count = () =>
    page.evaluate(async () => {
      const { parts } = await import(document.querySelector("script[src]").src);
      const { tree, shelf } = parts["state/store.js"];
      const all = [tree.value, ...shelf.value].map((one) => one.branches.flatMap((branch) => branch.tokens));
      return all.map((tokens) => tokens.filter((token) => token.step !== null).length);
    });
  await generateWith(page, "one", { ...SETTINGS, max_new_tokens: 700 });
  await generateWith(page, "two", { ...SETTINGS, max_new_tokens: 700 });
  await page.evaluate(async () => {
    const { parts } = await import(document.querySelector("script[src]").src);
    const { tokens, shelf } = parts["state/store.js"];
    const all = [...tokens.value, ...shelf.value[0].branches[0].tokens];
    globalThis.steps = all.map((token) => new WeakRef(token.step));
  });
  for (const prompt of ["three", "four", "five"]) await generateWith(page, prompt, { ...SETTINGS, max_new_tokens: 700 });
  await comesTo(count, [700, 700, 700, 0, 0]);
  const session = await page.context().newCDPSession(page);
  const left = async () => {
    await session.send("HeapProfiler.collectGarbage");
    return page.evaluate(() => globalThis.steps.filter((one) => one.deref() !== undefined).length);
  };
  await comesTo(left, (number) => number <= 700); // preact may hold what it drew before, which is one text
  await page.getByRole("button", { name: /^one / }).click();
  await page.waitForFunction(async () => {
    const { parts } = await import(document.querySelector("script[src]").src);
    const tokens = parts["state/store.js"].tokens.value;
    return tokens.length === 700 && tokens.every((token) => token.step !== null && !("isAway" in token));
  });
  await comesTo(count, [700, 700, 700, 0, 0]);
  await button(page, "New seed").click();
  await page.getByRole("treeitem").nth(1).waitFor();
  await written(page);
  await page.getByText("Share", { exact: true }).click();
  const loading = page.waitForEvent("download");
  await button(page, "Download JSON").click();
  const data = JSON.parse(readFileSync(await (await loading).path(), "utf8"));
  assert(data.branches.every((branch) => branch.tokens.every((token) => token.step !== null)));
  await page.reload();
  await page.locator(".flow [data-index]").first().waitFor();
  const isLight = (found) => found.length === 5 && found.reduce((sum, one) => sum + one) <= 700 * 2 + 2000;
  await comesTo(count, isLight);
}, { isSlow: true });
