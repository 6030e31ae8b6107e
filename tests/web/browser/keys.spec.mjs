// The keyboard: from the first key to a fork, and what is left to fields.
import assert from "node:assert/strict";
import { checkAccessible, pageTest, toyServer } from "../support/browser.mjs";
import { comesTo, counted } from "../support/eventually.mjs";
import { alternatives, generateWith, textOf, tokenRegion, useSettings } from "../support/writing.mjs";

const server = await toyServer({ lines: ["the cat sat on the mat"] });
const focusedText = (page) => page.evaluate(() => document.activeElement?.textContent ?? "");
const focusedIndex = (page) => page.evaluate(() => document.activeElement?.getAttribute("data-index"));

/** Press Tab until what has this name has the focus. */
async function tabTo(page, name) {
  for (let count = 0; count < 60; count += 1) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const { activeElement: one } = document;
      return one?.labels?.[0]?.textContent.trim() ?? one?.getAttribute("aria-label") ?? one?.textContent.trim();
    });
    if (found?.startsWith(name)) return;
  }
  assert.fail(`Tab never comes to ${name}`);
}

pageTest("keys alone lead from an empty page to a fork", server, async (page) => {
  await useSettings(page, { max_new_tokens: 20 });
  await tabTo(page, "Prompt");
  await page.keyboard.type("the cat");
  await tabTo(page, "Generate");
  await page.keyboard.press("Enter");
  await page.locator(".flow [data-index='9']").waitFor();
  for (let count = 0; count < 5; count += 1) await page.keyboard.press("ArrowRight");
  await comesTo(() => focusedIndex(page), "4");
  await page.keyboard.press("ArrowDown");
  const buttons = alternatives(page).getByRole("button");
  await comesTo(() => focusedText(page), await buttons.nth(0).textContent());
  await page.keyboard.press("ArrowDown");
  await comesTo(() => focusedText(page), await buttons.nth(1).textContent());
  await page.keyboard.press("Enter");
  await page.locator(".flow .chosen[data-index='4']").waitFor();
  await comesTo(() => focusedIndex(page), "4");
  await comesTo(() => textOf(page), /^ sat/);
});

pageTest("arrows go through the text and its alternatives", server, async (page) => {
  await generateWith(page, "the cat", { max_new_tokens: 9 });
  const place = tokenRegion(page).locator(".token-head p");
  const isAtAlternatives = async () => comesTo(() => focusedText(page), await alternatives(page).getByRole("button").first().textContent());
  await page.keyboard.press("ArrowLeft");
  await comesTo(() => place.textContent(), /^token 9 of 9/);
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowLeft");
  await comesTo(() => place.textContent(), /^token 8 of 9/); // past the last is the last
  await comesTo(() => focusedIndex(page), "7");
  await page.keyboard.press("Enter");
  await isAtAlternatives();
  await page.keyboard.press("ArrowUp");
  await comesTo(() => focusedIndex(page), "7");
  await page.keyboard.press("ArrowDown");
  await isAtAlternatives();
  await page.keyboard.press("Escape");
  await comesTo(() => focusedIndex(page), "7");
  await page.keyboard.press("ArrowDown");
  await isAtAlternatives();
  await page.keyboard.press("ArrowRight");
  await comesTo(() => focusedIndex(page), "8");
  await counted(page.locator(".flow [aria-current]"), 1);
  await page.keyboard.press("Escape");
  await counted(page.locator(".flow [aria-current]"), 0);
});

pageTest("[ and ] go to the branches beside", server, async (page) => {
  await generateWith(page, "the cat", { max_new_tokens: 9 });
  const before = await textOf(page);
  for (const key of ["ArrowRight", "ArrowRight", "ArrowDown", "Enter"]) await page.keyboard.press(key);
  await page.waitForFunction(() => document.querySelectorAll(".flow .token").length > 5);
  await page.getByRole("status").getByText("tokens written").waitFor({ state: "attached" });
  await page.waitForFunction(() => document.querySelector(".text").getAttribute("aria-busy") === "false");
  const forked = await textOf(page);
  assert.notEqual(forked, before);
  const becomes = (text) => page.waitForFunction((wanted) => document.querySelector(".flow").textContent === wanted, text);
  await page.keyboard.press("[");
  await becomes(before);
  await page.keyboard.press("]");
  await becomes(forked);
});

pageTest("u goes to the next token at which the model was uncertain", server, async (page) => {
  await generateWith(page, "the cat", { temperature: 2, seed: 3, max_new_tokens: 30 });
  const entropies = await page.evaluate(async () =>
    (await import("/playground/state/store.js")).tokens.value.map((token) => token.step.stages[0].entropy),
  );
  const uncertain = [...entropies.keys()].filter((index) => entropies[index] >= 2);
  assert(uncertain.length > 1);
  for (const index of [...uncertain, uncertain[0]]) {
    await page.keyboard.press("u");
    await comesTo(() => focusedIndex(page), String(index));
  }
});

pageTest("a page that scrolls under a resting pointer does not take the panel", server, async (page) => {
  await generateWith(page, "the cat", { temperature: 2, seed: 3, max_new_tokens: 400 });
  await page.locator(".flow [data-index='0']").hover();
  for (let count = 0; count < 8; count += 1) await page.keyboard.press("u");
  await page.keyboard.press("ArrowLeft");
  await page.evaluate(() => scrollTo(0, 1e6));
  const index = Number(await comesTo(() => focusedIndex(page), /^\d+$/));
  const place = tokenRegion(page).locator(".token-head p");
  await comesTo(() => place.textContent(), new RegExp(`^token ${index + 1} of`));
  await page.waitForTimeout(300); // the pointer would have it by now
  assert.match(await place.textContent(), new RegExp(`^token ${index + 1} of`));
}, { height: 500 });

pageTest("fields keep their keys", server, async (page) => {
  await generateWith(page, "the cat", { max_new_tokens: 9 });
  await page.locator(".flow [data-index='2']").click();
  const prompt = page.getByRole("textbox", { name: "Prompt" });
  await prompt.focus();
  await page.keyboard.press("End");
  for (const key of ["u", "?", "[", "]", "ArrowLeft", "ArrowUp", "ArrowDown", "End", "x"]) await page.keyboard.press(key);
  await comesTo(() => prompt.inputValue(), "the catu?[]x");
  await page.getByText("Generate begins a new text").waitFor(); // what the keys did is drawn
  await counted(page.getByRole("dialog"), 0);
});

pageTest("? lists the keys, and Escape leaves the list", server, async (page) => {
  await page.keyboard.press("?");
  const dialog = page.getByRole("dialog", { name: "Keys" });
  await dialog.waitFor();
  await checkAccessible(page);
  await page.keyboard.press("u");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Keyboard" }).click();
  await dialog.getByRole("button", { name: "Close" }).click();
  await dialog.waitFor({ state: "hidden" });
});
