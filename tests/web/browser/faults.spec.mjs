// What is between the page and its server fails: proxies, keys, other models, answers that are none.
import assert from "node:assert/strict";
import http from "node:http";
import { once } from "node:events";
import { after } from "node:test";
import { generate, openPage, pageTest, toyServer } from "../support/browser.mjs";
import { comesTo, counted } from "../support/eventually.mjs";
import { button, fillPrompt, idsOf, stateOf, useSettings, written } from "../support/writing.mjs";

const server = await toyServer({ lines: ["the cat sat on the mat"] });
const locked = await toyServer({ keys: ["secret"] });
const EXPLAIN = "**/v1/foretell/explain";
const ALL = "**/{v1,tokenize,version}{,/**}";
const gone = (page) => page.locator(".notices").getByText("The server does not answer.");

/** Answer requests to a path like this from now on. */
const answerWith = (page, path, status, body, contentType = "application/json") =>
  page.route(path, (route) => route.fulfill({ status, body, contentType }));

pageTest("a proxy that does not reach the server is told as a server that is gone", server, async (page) => {
  await page.getByText("toy", { exact: true }).waitFor();
  const html = (size) => `<html><body><h1>Bad Gateway</h1>${"x".repeat(size)}</body></html>`;
  await answerWith(page, ALL, 502, html(100), "text/html");
  await answerWith(page, EXPLAIN, 502, html(10_000_000), "text/html"); // the latest route has its way
  await fillPrompt(page, "the cat");
  await button(page, "Generate").click();
  await gone(page).waitFor();
  await written(page);
  await counted(page.getByText("Broken off: 502 Bad Gateway"), 1);
  await counted(page.getByText("<h1>"), 0);
  await page.unrouteAll();
  await gone(page).waitFor({ state: "detached" });
  await generate(page, "the cat");
  assert((await idsOf(page)).length > 0);
}, { mayFail: true });

pageTest("what a busy server or one that leaves says is shown; an answer that is none is not", server, async (page) => {
  await fillPrompt(page, "the cat");
  const words = (message) => JSON.stringify({ error: { message, type: "x", param: null, code: null } });
  for (const [status, message] of [[429, "come back in 3 seconds"], [503, "the server is leaving"]]) {
    await answerWith(page, EXPLAIN, status, words(message));
    await button(page, "Generate").click();
    await page.getByRole("alert").getByText(message).waitFor();
    await written(page);
    await counted(gone(page), 0);
    assert.equal((await stateOf(page)).branches.length, 1);
    await page.unrouteAll();
  }
  await answerWith(page, EXPLAIN, 403, `{"error":"no"}${"<b>".repeat(9999)}`, "text/html");
  await button(page, "Generate").click();
  await page.getByRole("alert").getByText("403").waitFor();
  await comesTo(() => page.getByRole("alert").getByText("403").textContent(), ({ length }) => length < 300);
  await page.setViewportSize({ width: 360, height: 780 });
  await comesTo(() => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
}, { mayFail: true });

pageTest("a page to sign in to, in place of all answers, is told as a server that is gone, once", server, async (page) => {
  await page.getByText("toy", { exact: true }).waitFor();
  await page.evaluate(async () => {
    const { isReachable } = await import(new URL("api/reachable.js", document.querySelector("script[src]").src).href);
    globalThis.told = [];
    isReachable.subscribe((isThere) => globalThis.told.push(isThere));
  });
  const told = () => page.evaluate(() => globalThis.told);
  await answerWith(page, ALL, 200, "<html>Please sign in</html>", "text/html");
  await fillPrompt(page, "the cat");
  await button(page, "Generate").click();
  await gone(page).waitFor();
  await written(page);
  for (const _ of [1, 2]) {
    const asked = page.waitForResponse("**/v1/models");
    await page.evaluate(() => dispatchEvent(new Event("online"))); // it asks who is there
    await asked;
  }
  assert.deepEqual(await told(), [true, false]);
  await page.unrouteAll();
  await gone(page).waitFor({ state: "detached" });
  assert.deepEqual(await told(), [true, false, true]);
  await button(page, "Generate").click();
  await page.locator(".flow [data-index]").first().waitFor();
}, { mayFail: true });

pageTest("a key is set later, and a link waits for it", locked, async (page) => {
  await page.goto(`${locked.url}#text=9.abc`);
  await page.reload();
  await page.getByLabel(/This server wants a key/).fill("열쇠");
  await page.getByRole("button", { name: "Use it" }).click();
  const key = page.getByLabel(/does not know this key/);
  await key.fill("secret");
  await page.getByRole("button", { name: "Use it" }).click();
  await key.waitFor({ state: "detached" });
  await page.getByText("toy", { exact: true }).waitFor();
  await page.getByText("made by a newer foretell").first().waitFor();
  await generate(page, "the cat");
  await counted(gone(page), 0);
  await page.evaluate(async () => {
    const { parts } = await import(document.querySelector("script[src]").src);
    parts["api/key.js"].useKey("an older key"); // as if the server had been given another one
  });
  const before = await idsOf(page);
  await useSettings(page, { max_new_tokens: 3 });
  await button(page, "Continue").click();
  const again = page.getByLabel(/does not know this key/);
  await again.fill("secret");
  await page.getByRole("button", { name: "Use it" }).click();
  await again.waitFor({ state: "detached" });
  await button(page, "Continue").click();
  await page.waitForFunction(async (least) => {
    const { parts } = await import(document.querySelector("script[src]").src);
    return parts["state/store.js"].tokens.value.length === least;
  }, before.length + 3);
}, { mayFail: true });

pageTest("a server that was started anew with another model writes nothing onto the old one's ids", server, async (page) => {
  await generate(page, "the cat");
  const before = await idsOf(page);
  await page.evaluate(async () => {
    const { parts } = await import(document.querySelector("script[src]").src);
    const { tree } = parts["state/store.js"];
    parts["state/server.js"].serverModel.value = "an-older-one";
    tree.value = { ...tree.value, model: "an-older-one" };
  });
  await button(page, "Continue").click();
  await page.getByRole("alert").getByText("an-older-one").waitFor();
  await page.getByText("an-older-one wrote this text").waitFor();
  assert.deepEqual(await idsOf(page), before);
  await comesTo(() => button(page, "Continue").isDisabled(), true);
  await button(page, "Generate").click();
  await page.getByText("an-older-one wrote this text").waitFor({ state: "detached" });
}, { mayFail: true });

/** A proxy that has the server below a path. */
async function below(prefix, target) {
  const proxy = http.createServer((asked, answer) => {
    if (!asked.url.startsWith(prefix)) return answer.writeHead(404).end();
    const { hostname, port } = new URL(target.url);
    const { method, headers } = asked;
    const on = http.request({ hostname, port, method, headers, path: `/${asked.url.slice(prefix.length)}` }, (found) => {
      answer.writeHead(found.statusCode, found.headers);
      found.pipe(answer);
    });
    asked.pipe(on).on("error", () => answer.destroy());
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  after(() => proxy.close());
  return { url: `http://127.0.0.1:${proxy.address().port}${prefix}`, reason: null };
}

pageTest("it works below a path, links too", await below("/x/y/", server), async (page, { context }) => {
  await generate(page, "the cat");
  await page.getByText("Share", { exact: true }).click();
  await button(page, "Copy a link").click();
  await page.locator(".share").getByText(/^Copied: /).waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(new URL(link).pathname, "/x/y/");
  const there = await context.newPage();
  await openPage(there, link);
  await there.getByText("are the same.").waitFor();
  for (const tab of ["Compare", "Beams", "Learn"]) {
    await there.getByRole("tab", { name: tab }).click();
    await there.locator("#view .loading").waitFor({ state: "detached" });
  }
  assert.equal(new URL(there.url()).pathname, "/x/y/");
});
