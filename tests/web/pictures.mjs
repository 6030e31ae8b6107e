// The pictures of the README, of the default model: make pictures writes them to docs/pictures/.
import { mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { newContext, openPage, realServer } from "./support/browser.mjs";
import { ROOT } from "./support/packages.mjs";

const MOST_BYTES = 200_000;
const folder = path.join(ROOT, "docs", "pictures");
const server = await realServer();

function picture(name, look, body, { staysOver = false } = {}) {
  test(name, { skip: server.reason ?? false }, async () => {
    const context = await newContext({ width: 1280, height: 800, ...look });
    const page = await context.newPage();
    await openPage(page, server.url);
    await body(page);
    if (!staysOver) await page.mouse.move(0, 0);
    await page.waitForTimeout(500);
    mkdirSync(folder, { recursive: true });
    const file = path.join(folder, `${name}.png`);
    await page.screenshot({ path: file });
    await context.close();
    const { size } = statSync(file);
    if (size > MOST_BYTES) throw new Error(`${file} has ${size} bytes: must have ${MOST_BYTES} at most`);
  });
}

picture("write", { theme: "light" }, async (page) => {
  await page.evaluate(async () => {
    const { parts } = await import(document.querySelector("script[src]").src);
    const { focus, settings, show, tree } = parts["state/store.js"];
    const { generate, goOn } = parts["state/generation.js"];
    tree.value = parts["state/tree.js"].newTree({ mode: "text", text: "The cat sat on the", messages: [], ids: null });
    const chain = { temperature: 0.8, top_k: 50, top_p: 0.9, max_new_tokens: 60 };
    settings.value = { ...chain, seed: 34 };
    await goOn();
    const first = tree.value.current;
    for (const seed of [24, 35]) {
      settings.value = { ...chain, seed };
      await generate();
    }
    settings.value = { ...chain, seed: 34 };
    show(first);
    focus.value = 0;
  });
});

picture("beams", { theme: "dark", height: 740 }, async (page) => {
  await page.getByRole("tab", { name: "Beams" }).click();
  await page.getByRole("textbox", { name: "Prompt" }).fill("The cat sat on the");
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  await page.getByRole("button", { name: "Generate", exact: true, disabled: false }).waitFor();
  await page.getByRole("treeitem").first().waitFor();
  await page.getByRole("button", { name: "Fit", exact: true }).click();
  await page.getByRole("treeitem", { name: /moon/ }).first().hover();
}, { staysOver: true });
