// A text of 2,000 tokens: only its end is drawn while it grows.
import assert from "node:assert/strict";
import { pageTest, toyServer } from "../support/browser.mjs";
import { PATIENCE, counted } from "../support/eventually.mjs";
import { textOf, tokenRegion, useSettings } from "../support/writing.mjs";

const LINE = `the${" cat고양이🙂\n".repeat(160)}`;
const server = await toyServer({ lines: [LINE] });

pageTest("2,000 tokens are written, and what stands is left alone", server, async (page) => {
  await page.evaluate(() => {
    const changes = new Map();
    globalThis.changes = changes;
    new MutationObserver((records) => {
      for (const { target } of records) {
        const token = (target.nodeType === 1 ? target : target.parentElement).closest("[data-index]");
        if (token) changes.set(token.dataset.index, (changes.get(token.dataset.index) ?? 0) + 1);
      }
    }).observe(document.querySelector(".text"), { subtree: true, childList: true, characterData: true, attributes: true });
  });
  await useSettings(page, { max_new_tokens: 2000 });
  await page.getByRole("textbox", { name: "Prompt" }).fill("the");
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  await page.getByText("2000 tokens written.").waitFor({ state: "attached", timeout: 6 * PATIENCE });
  await page.locator("[role='slider'][aria-valuemax='2000']").waitFor();
  const text = (await textOf(page)).replace(/\ufffd$/, ""); // the last character is not complete
  assert.equal(text, LINE.slice("the".length, "the".length + text.length));
  const most = await page.evaluate(() => Math.max(0, ...globalThis.changes.values()));
  assert(most <= 4, `a token's box was changed ${most} times`);
  await page.keyboard.press("ArrowLeft");
  await tokenRegion(page).getByText("token 2,000 of 2,000").waitFor();
  await page.getByRole("slider", { name: "Position in the text" }).press("Home");
  await tokenRegion(page).getByText("token 1 of 2,000").waitFor();
  await page.getByLabel("As a table").check();
  await counted(page.locator(".token-table tbody tr"), 2000);
});
