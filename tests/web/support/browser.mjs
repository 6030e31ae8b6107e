// Tests in a real browser. Each has a page of its own, fresh: nothing kept, no cookies.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { FOLDER, axePath, findBrowser, playwright } from "./packages.mjs";
import { PATIENCE } from "./eventually.mjs";
import { beginTests } from "./servers.mjs";
import { TIMES, slowDown, slowDownPage } from "./slow.mjs";

export { realServer, toyServer } from "./servers.mjs";

export const WIDTHS = [360, 768, 1440];
export const THEMES = ["light", "dark"];
const ALL_LOOKS = WIDTHS.flatMap((width) => THEMES.map((theme) => [width, theme]));
const LOOKS = process.env.QUICK ? [ALL_LOOKS[0], ALL_LOOKS.at(-1)] : ALL_LOOKS;

let launched = null;

/** The browser of this file's tests. */
function browser() {
  if (launched === null) {
    const executablePath = findBrowser();
    assert(executablePath, "no browser: install chromium (Debian: apt-get install chromium), or set $CHROMIUM");
    launched = playwright().chromium.launch({ executablePath, args: ["--no-sandbox"] });
  }
  return launched;
}

after(async () => {
  if (launched !== null) await (await launched).close();
});

/**
 * A test with a page that shows the playground.
 *
 * It fails if the page meets an error, writes one to the console, or asks any other host. Where it
 * fails, build/web/failed/ has a picture of the page.
 *
 * @param {string} name
 * @param {import("./servers.mjs").Server} server
 * @param {(page: any, more: { context: any, open: typeof openPage, t: any }) => Promise<void>} body
 * @param {Look & { mayFail?: boolean, path?: string, isSlow?: boolean }} [options]
 *   mayFail: the console may have errors; isSlow: it is left out where $QUICK is set, as `make test` has it
 */
export function pageTest(name, server, body, { mayFail = false, path: place = "", isSlow = false, ...look } = {}) {
  beginTests();
  const skip = server.reason ?? (isSlow && process.env.QUICK ? "it takes long" : false);
  test(name, { skip, timeout: 120_000 * TIMES }, async (t) => {
    const context = await newContext(look);
    const faults = [];
    context.on("page", (page) => watch(page, server.url, faults));
    const page = await context.newPage();
    try {
      await openPage(page, server.url + place);
      await body(page, { context, open: openPage, t });
      if (!mayFail) assert.deepEqual(faults, []);
    } catch (error) {
      await page.screenshot({ path: picture("failed", name), fullPage: true }).catch(() => undefined);
      throw error;
    } finally {
      await context.close();
    }
  });
}

/**
 * @typedef {{ width?: number, height?: number, theme?: "light" | "dark", language?: string,
 *   reducedMotion?: boolean }} Look
 *
 * @param {Look} look
 */
export async function newContext({ width = 1440, height = 900, theme = "light", language = "en-GB", reducedMotion = false } = {}) {
  const context = await (await browser()).newContext({
    viewport: { width, height },
    colorScheme: theme,
    locale: language,
    reducedMotion: reducedMotion ? "reduce" : "no-preference",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  context.setDefaultTimeout(PATIENCE);
  await slowDown(context);
  return context;
}

/** Go to the playground, and wait until it can be used. */
export async function openPage(page, url) {
  await slowDownPage(page);
  await page.goto(url);
  await page.getByRole("tablist").waitFor();
}

/** Notes what must not happen on a page. */
function watch(page, url, faults) {
  page.on("pageerror", (error) => faults.push(`${error.stack ?? error}`));
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(message.text());
  });
  page.on("request", (request) => {
    const address = request.url();
    const isOwn = address.startsWith(url) || address.startsWith("data:") || address.startsWith("blob:");
    if (!isOwn) faults.push(`asked for ${address}`);
  });
}

/** What axe-core finds wrong with the page as it is; it must be nothing. */
export async function checkAccessible(page) {
  await page.evaluate(readFileSync(axePath(), "utf8"));
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, help, nodes }) => ({
      id,
      help,
      nodes: nodes.slice(0, 5).map((one) => [one.target.join(" "), one.any[0]?.message ?? ""]),
    }));
  });
  assert.deepEqual(found, []);
}

/**
 * The same for every width and theme, with a picture of each in build/web/shots/, and no width that
 * has to be scrolled sideways. Where $QUICK is set, for the narrowest in light and the widest in dark.
 */
export async function checkLooks(page, name) {
  const size = page.viewportSize();
  for (const [width, theme] of LOOKS) {
    await page.setViewportSize({ width, height: width < 768 ? 780 : 900 });
    await page.emulateMedia({ colorScheme: theme });
    await page.screenshot({ path: picture("shots", `${name}-${width}-${theme}`), fullPage: true });
    await checkAccessible(page);
    const overhang = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert(overhang <= 0, `at ${width} px the page is ${overhang} px too wide`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(size);
}

/** Where a picture goes, below build/web/. */
export function picture(folder, name) {
  const place = path.join(FOLDER, folder);
  mkdirSync(place, { recursive: true });
  return path.join(place, `${name.replace(/[^\p{L}\p{N}-]+/gu, "_")}.png`);
}

/** Open a tab by its English name. */
export async function openTab(page, name) {
  await page.getByRole("tab", { name }).click();
}

/** Write a prompt, generate, and wait until it has been written. */
export async function generate(page, prompt) {
  await page.getByRole("textbox", { name: "Prompt" }).fill(prompt);
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  await page.getByRole("region", { name: "Text", exact: true }).getByRole("button").first().waitFor();
  await written(page);
}

/** Resolved once nothing is being written, and what was written is drawn. */
export async function written(page) {
  await page.waitForFunction(() => {
    const isOver = [...document.querySelectorAll("button")].some((one) => one.textContent?.trim() === "Stop" && one.disabled);
    return isOver && document.querySelector(".text[aria-busy=true]") === null;
  });
}
