// What is around the views: tabs, address, languages, themes, the key, the skip link.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { checkAccessible, generate, openPage, openTab, pageTest, toyServer } from "../support/browser.mjs";
import { comesTo, counted } from "../support/eventually.mjs";
import { WEB } from "../support/resolve.mjs";

const server = await toyServer();
const locked = await toyServer({ keys: ["secret"] });

const selected = (page, name) => page.getByRole("tab", { name, selected: true }).waitFor();

pageTest("the address has the tab, and the way back", server, async (page) => {
  await openTab(page, "Learn");
  await comesTo(() => page.url(), /\?tab=learn$/);
  await comesTo(() => page.title(), "Learn · foretell");
  await openTab(page, "Compare");
  await comesTo(() => page.url(), /\?tab=compare$/);
  await page.goBack();
  await selected(page, "Learn");
  await page.goBack();
  await selected(page, "Write");
  await comesTo(() => page.url(), server.url);
  await openPage(page, `${server.url}?tab=beams#kept`);
  await selected(page, "Beams");
  await openTab(page, "Write");
  await comesTo(() => page.url(), `${server.url}#kept`);
});

pageTest("tabs are moved between by arrows, and only one is on the way of the tab key", server, async (page) => {
  await page.getByRole("tab", { name: "Write" }).focus();
  await page.keyboard.press("ArrowLeft");
  await selected(page, "Learn");
  await page.keyboard.press("Home");
  await selected(page, "Write");
  await page.keyboard.press("ArrowRight");
  await selected(page, "Compare");
  await comesTo(() => page.evaluate(() => document.activeElement?.id), "tab-compare");
  await counted(page.locator('[role="tab"][tabindex="0"]'), 1);
});

pageTest("the first key leads past the header", server, async (page) => {
  await page.keyboard.press("Tab");
  const skip = page.getByRole("link", { name: "Skip to the content" });
  await comesTo(() => skip.evaluate((link) => link === document.activeElement), true);
  await page.keyboard.press("Enter");
  await comesTo(() => page.evaluate(() => document.activeElement?.id), "view");
});

pageTest("language and theme are kept", server, async (page) => {
  const root = page.locator("html");
  await comesTo(() => root.getAttribute("lang"), "en");
  await page.getByRole("combobox", { name: "Language" }).selectOption("한국어");
  await page.getByRole("tab", { name: "쓰기" }).waitFor();
  await page.getByRole("combobox", { name: "밝기" }).selectOption("어둡게");
  await page.reload();
  await page.getByRole("tab", { name: "쓰기" }).waitFor();
  await comesTo(() => root.getAttribute("lang"), "ko");
  await comesTo(() => root.getAttribute("data-theme"), "dark");
  await comesTo(() => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor), "rgb(21, 22, 23)");
  await page.getByRole("combobox", { name: "밝기" }).selectOption("자동");
  await page.waitForFunction(() => document.documentElement.dataset.theme === undefined);
});

pageTest("the browser's language is the first one", server, async (page) => {
  await page.getByRole("tab", { name: "비교" }).waitFor();
}, { language: "ko-KR" });

pageTest("a theme of the system is followed", server, async (page) => {
  const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  await comesTo(paper, "rgb(21, 22, 23)");
  await page.emulateMedia({ colorScheme: "light" });
  await comesTo(paper, "rgb(252, 251, 248)");
}, { theme: "dark" });

pageTest("nothing moves where no motion is wanted", server, async (page) => {
  const time = await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue("--calm"));
  assert.match(time.trim(), /^0m?s$/);
}, { reducedMotion: true });

pageTest("a server's key is asked for, and kept for this tab alone", locked, async (page, { context }) => {
  const field = page.getByLabel(/This server wants a key/);
  await field.waitFor();
  await checkAccessible(page);
  await field.fill("wrong");
  await page.getByRole("button", { name: "Use it" }).click();
  const again = page.getByLabel(/does not know this key/);
  await again.fill("secret");
  await page.getByRole("button", { name: "Use it" }).click();
  await again.waitFor({ state: "detached" });
  await page.getByText("toy", { exact: true }).waitFor();
  await page.reload();
  await page.getByText("toy", { exact: true }).waitFor();
  const other = await context.newPage();
  await openPage(other, locked.url);
  await other.getByLabel(/This server wants a key/).waitFor();
}, { mayFail: true });

pageTest("the first view is one module, one style, and libraries", server, async (page) => {
  const fetched = await page.evaluate(() => performance.getEntriesByType("resource").map((one) => one.name));
  const files = fetched.filter((name) => name.includes("/playground/")).map((name) => name.split("/").slice(5).join("/"));
  const libraries = files.filter((name) => name.startsWith("vendor/"));
  const others = files.filter((name) => !name.startsWith("vendor/") && name !== "icon.svg");
  assert.deepEqual(others.sort(), ["main.js", "style.css"]);
  assert.deepEqual(libraries.sort(), ["htm", "preact", "preact-hooks", "signals", "signals-core"].map((one) => `vendor/${one}.js`).sort());
});

pageTest("the first view and all that it asks for have 100 KB at most", server, async (page) => {
  await page.getByRole("form", { name: "Settings" }).getByRole("slider").first().waitFor();
  await page.waitForLoadState("networkidle");
  const sizes = await page.evaluate(() =>
    [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].map((one) => [one.name, one.transferSize]),
  );
  assert(sizes.some(([name]) => name.endsWith("v1/foretell/guide")));
  assert(sizes.every(([, size]) => size > 0));
  const sum = sizes.reduce((total, [, size]) => total + size, 0);
  assert(sum <= 100_000, `${sum}: ${sizes.map((one) => one.join(" ")).join(", ")}`);
});

pageTest("later views bring a style of their own, once", server, async (page) => {
  const styles = () => page.evaluate(() => [...document.styleSheets].map((one) => one.href.split("/").at(-1)));
  await comesTo(styles, ["style.css"]);
  for (const name of ["Compare", "Beams", "Learn"]) {
    await openTab(page, name);
    await page.locator("main .loading").waitFor({ state: "detached" });
    await comesTo(styles, ["style.css", "later.css"]);
  }
});

pageTest("a view that was open before is there at once", server, async (page) => {
  await openTab(page, "Learn");
  await page.getByRole("button", { name: "Try it" }).first().waitFor();
  await openTab(page, "Compare");
  await page.getByRole("button", { name: "Add settings" }).waitFor();
  const shown = await page.getByRole("tab", { name: "Learn" }).evaluate(async (tab) => {
    tab.click();
    for (let turn = 0; turn < 10; turn += 1) await null; // what is drawn at once is there
    return document.querySelectorAll("main .lesson-card").length;
  });
  assert.equal(shown, 10);
});

pageTest("a view whose style cannot be fetched says so, and can be shown again", server, async (page) => {
  await page.route("**/later.css", (route) => route.abort());
  await openTab(page, "Learn");
  await page.getByText("later.css could not be fetched").waitFor();
  await page.unroute("**/later.css");
  await page.getByRole("button", { name: "Show it again" }).click();
  await page.getByRole("button", { name: "Try it" }).first().waitFor();
}, { mayFail: true });

pageTest("what is joined has what each module exports", server, async (page) => {
  const exported = await page.evaluate(async () => {
    const script = document.querySelector("script[src]").src;
    const { parts } = await import(script);
    const found = {};
    for (const name of Object.keys(parts)) {
      if (name === "main.js") continue;
      const way = await import(new URL(name, script).href);
      if (Object.entries(way).some(([key, value]) => value !== parts[name][key])) throw new Error(name);
      found[name] = Object.keys(way).sort();
    }
    return found;
  });
  assert(Object.keys(exported).length > 15);
  for (const [name, names] of Object.entries(exported)) {
    const code = readFileSync(new URL(name, WEB), "utf8").replace(/\/\*\*.*?\*\//gs, "");
    const own = [...code.matchAll(/^export (?:async )?(?:function\*? |const |class )(\w+)|^export \{ (.*) \};/gm)];
    assert.deepEqual(names, own.flatMap(([, one, list]) => one ?? list.split(", ")).sort(), name);
  }
}, { isSlow: true });

pageTest("no text can become markup, whatever a module does", server, async (page) => {
  const refused = await page.evaluate(() => {
    try {
      document.createElement("p").innerHTML = "<b>bold</b>";
      return "";
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(refused, "TypeError");
}, { mayFail: true });

pageTest("a part that fails leaves the others as they are", server, async (page) => {
  await page.route("**/v1/foretell/guide", async (route) => {
    const guide = await (await route.fetch()).json();
    for (const topic of guide.settings) if (topic.name === "regex") topic.notation = "unheard-of";
    await route.fulfill({ json: guide });
  });
  await page.reload();
  await page.getByRole("searchbox", { name: "Find a setting" }).fill("regex");
  await page.getByText("This part of the page failed").waitFor();
  await generate(page, "the cat");
  await page.getByRole("region", { name: "Token", exact: true }).waitFor();
}, { mayFail: true });
