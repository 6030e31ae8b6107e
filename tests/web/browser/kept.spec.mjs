// What is kept in the browser: over reloads, in two tabs, without a database; and a server that is gone.
import assert from "node:assert/strict";
import { checkLooks, generate, pageTest, toyServer } from "../support/browser.mjs";
import { PATIENCE, comesTo } from "../support/eventually.mjs";
import { gateTo } from "../support/gate.mjs";
import { button, fillPrompt, generateWith, idsOf, restored, saved, stateOf, useSettings, written } from "../support/writing.mjs";

const server = await toyServer({ lines: ["the cat sat on the mat"] });
const slow = await gateTo(await toyServer({ rate: 25 }));

pageTest("texts, forks, settings and the prompt survive a reload", server, async (page) => {
  await generateWith(page, "the cat", { temperature: 1, max_new_tokens: 10 });
  await button(page, "New seed").click();
  await page.getByRole("treeitem").nth(1).waitFor();
  await written(page);
  await fillPrompt(page, "another prompt");
  const before = await stateOf(page);
  await saved(page);
  await page.reload();
  await page.getByRole("treeitem").nth(1).waitFor();
  await comesTo(() => stateOf(page), before);
  await comesTo(() => page.getByRole("textbox", { name: "Prompt", exact: true }).inputValue(), "another prompt");
  await comesTo(() => page.getByRole("spinbutton", { name: "Tokens at most" }).inputValue(), "10");
});

pageTest("a reload in the middle keeps what has come, and going on ends as one run would", slow, async (page) => {
  const settings = { temperature: 1, max_new_tokens: 2000 }; // more than there is time for
  await useSettings(page, settings);
  await fillPrompt(page, "the cat");
  await button(page, "Generate").click();
  await page.waitForFunction(() => document.querySelectorAll(".flow [data-index]").length >= 20);
  await page.reload();
  await page.locator(".flow [data-index]").first().waitFor();
  const { tokens, current } = await stateOf(page);
  assert(tokens.length >= 5, `${tokens.length}`);
  const { seed } = current.settings;
  assert(Number.isInteger(seed));
  const answer = await fetch(`${slow.url}v1/foretell/explain`, {
    method: "POST",
    body: JSON.stringify({ prompt: "the cat", ...settings, seed, max_new_tokens: tokens.length + 5 }),
  });
  await useSettings(page, { ...settings, max_new_tokens: 5 });
  await button(page, "Continue").click();
  await page.getByText("Cut at").waitFor();
  assert.deepEqual(await idsOf(page), (await answer.json()).token_ids);
});

pageTest("two tabs have a session each, and lose nothing", server, async (page, { context, open }) => {
  await generate(page, "the cat");
  await saved(page);
  const other = await context.newPage();
  await open(other, server.url);
  await generate(other, "the dog");
  await saved(other);
  await generateWith(page, "the bird", { max_new_tokens: 5 });
  await saved(page);
  await Promise.all([page.reload(), other.reload()]);
  await page.locator(".flow [data-index]").first().waitFor();
  await other.locator(".flow [data-index]").first().waitFor();
  const [one, two] = [await stateOf(page), await stateOf(other)];
  assert.deepEqual([one.prompt.text, one.shelf.map((tree) => tree.prompt.text)], ["the bird", ["the cat"]]);
  assert.deepEqual([two.prompt.text, two.shelf], ["the dog", []]);
  await other.getByText("Kept here", { exact: true }).click();
  await other.getByText("open in another tab").waitFor();
});

pageTest("a tab that is duplicated gets a session of its own", server, async (page, { context, open }) => {
  await generate(page, "the cat");
  await saved(page);
  const session = await page.evaluate(() => sessionStorage.getItem("foretell-session"));
  const other = await context.newPage();
  await other.addInitScript((id) => sessionStorage.setItem("foretell-session", id), session);
  await open(other, server.url);
  await other.waitForFunction((id) => sessionStorage.getItem("foretell-session") !== id, session);
});

pageTest("a session is found again in a new tab, once no other has it", server, async (page, { context, open }) => {
  await generate(page, "the cat");
  await saved(page);
  const before = await stateOf(page);
  await page.close();
  const other = await context.newPage();
  await open(other, server.url);
  await other.locator(".flow [data-index]").first().waitFor();
  await comesTo(() => stateOf(other), before);
});

pageTest("an earlier session can be opened", server, async (page, { context, open }) => {
  await generate(page, "the cat");
  await saved(page);
  const other = await context.newPage();
  await open(other, server.url);
  await generate(other, "the dog");
  await saved(other);
  await page.close();
  await other.getByText("Kept here", { exact: true }).click();
  await other.getByTitle(/^Open the cat/).click();
  await other.waitForFunction(() => document.querySelector(".prompt-text")?.value === "the cat");
  await checkLooks(other, "kept");
});

pageTest("a button deletes all that is kept", server, async (page) => {
  await generate(page, "the cat");
  await saved(page);
  await page.getByText("Kept here", { exact: true }).click();
  await button(page, "Delete all that is kept").click();
  await button(page, "Delete all").click();
  await button(page, "Delete all that is kept").waitFor();
  await page.waitForTimeout(1000); // nothing is written later, either
  const left = await page.evaluate(async () => {
    const database = await new Promise((resolve) => (indexedDB.open("foretell-playground").onsuccess = (event) => resolve(event.target.result)));
    const count = (name) => new Promise((resolve) => (database.transaction(name).objectStore(name).count().onsuccess = (event) => resolve(event.target.result)));
    return Promise.all(["sessions", "trees", "blocks"].map(count));
  });
  assert.deepEqual(left, [0, 0, 0]);
  await page.reload();
  await restored(page);
  await comesTo(() => page.getByRole("textbox", { name: "Prompt", exact: true }).inputValue(), "");
});

pageTest("without a database it works, and says that nothing is kept", server, async (page, { context, open }) => {
  const other = await context.newPage();
  await other.addInitScript(() => {
    Object.defineProperty(globalThis, "indexedDB", { get: () => undefined });
    Object.defineProperty(globalThis, "sessionStorage", { get: () => { throw new DOMException("no", "SecurityError"); } });
  });
  await open(other, server.url);
  await other.getByText("This browser keeps nothing for this page.").waitFor();
  await generate(other, "the cat");
  assert((await idsOf(other)).length > 0);
});

pageTest("a server that goes is told, and what it wrote stays; when it is back, it goes on", slow, async (page) => {
  await useSettings(page, { temperature: 1, seed: 2, max_new_tokens: 2000 }); // more than there is time for
  await fillPrompt(page, "the cat");
  await button(page, "Generate").click();
  await page.waitForFunction(() => document.querySelectorAll(".flow [data-index]").length >= 5);
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  const gone = page.locator(".notices").getByText("The server does not answer.");
  await slow.shut();
  await gone.waitFor();
  await written(page);
  const { tokens } = await stateOf(page);
  assert(tokens.length >= 5);
  await page.waitForTimeout(5000);
  const tries = asked.filter((url) => /\/(v1\/models|version)$/.test(url));
  assert(tries.length <= 4, `${asked}`); // two of two requests each, at 2 and 6 seconds
  assert(asked.length - tries.length <= 2, `${asked}`); // the next token's outlook, once
  await slow.open();
  await gone.waitFor({ state: "detached", timeout: 2 * PATIENCE });
  await useSettings(page, { temperature: 1, seed: 2, max_new_tokens: 3 });
  await button(page, "Continue").click();
  await page.getByText("Cut at").waitFor();
  const answer = await fetch(`${slow.url}v1/foretell/explain`, {
    method: "POST",
    body: JSON.stringify({ prompt: "the cat", temperature: 1, seed: 2, max_new_tokens: tokens.length + 3 }),
  });
  assert.deepEqual(await idsOf(page), (await answer.json()).token_ids);
}, { mayFail: true });
