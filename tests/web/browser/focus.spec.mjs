// The keyboard's place: what goes away or is disabled hands it on, so that it is never lost.
import assert from "node:assert/strict";
import { openTab, pageTest, toyServer } from "../support/browser.mjs";
import { comesTo } from "../support/eventually.mjs";
import { alternatives, button, fillPrompt, generateWith, tokenRegion, useSettings, written } from "../support/writing.mjs";

const server = await toyServer({ lines: ["the cat sat on the mat"], rate: 60 });

/** Resolved once the focus is on what has this name. It is looked every 50 ms: frames are made late here. */
const isOn = (page, name) =>
  page.waitForFunction(
    (wanted) => {
      const now = document.activeElement;
      return now !== document.body && (now.ariaLabel ?? now.textContent).trim() === wanted;
    },
    name,
    { polling: 50 },
  );

pageTest("Generate hands it to Stop, and gets it back", server, async (page) => {
  await useSettings(page, { ignore_eos: true, max_new_tokens: 2000 }); // more than there is time for
  await fillPrompt(page, "the cat");
  await button(page, "Generate").press("Enter");
  await isOn(page, "Stop");
  await page.keyboard.press("Enter");
  await written(page);
  await isOn(page, "Generate");
});

pageTest("steps are taken from the button, and left", server, async (page) => {
  await fillPrompt(page, "the cat");
  await button(page, "Step").press("Enter");
  await page.getByRole("list", { name: "Choices" }).waitFor();
  await isOn(page, "Step");
  await button(page, "Leave it").press("Enter");
  await isOn(page, "Generate");
});

pageTest("the panel keeps it at the text's ends, and with a ban", server, async (page) => {
  await generateWith(page, "the cat", { max_new_tokens: 3 });
  await page.locator(".flow [data-index='1']").click();
  const panel = tokenRegion(page);
  for (const name of ["Token before", "Token after"]) {
    for (let count = 0; count < 4; count += 1) await panel.getByRole("button", { name }).press("Enter");
    await isOn(page, name);
  }
  const first = alternatives(page).getByRole("listitem").nth(1);
  await first.locator("summary").press("Enter");
  await first.getByRole("button", { name: "Ban" }).press("Enter");
  await isOn(page, "Ban");
  await first.getByRole("button", { name: "Ban", pressed: true }).waitFor();
  await first.getByRole("button", { name: "As the model has it" }).press("Enter");
  await isOn(page, "Likelier");
});

pageTest("a field that opens has it before the next key", server, async (page) => {
  await generateWith(page, "the cat", { max_new_tokens: 3 });
  const edit = button(page, "Edit");
  await edit.press("Enter"); // what edits is there from now on
  await page.getByRole("textbox", { name: "Edited text" }).press("Escape");
  await isOn(page, "Edit");
  const focusedAfter = (opener) =>
    opener.evaluate(async (one) => {
      one.click();
      for (let turn = 0; turn < 10; turn += 1) await null; // what is drawn at once is there
      return document.activeElement.ariaLabel;
    });
  assert.equal(await focusedAfter(edit), "Edited text");
  await page.keyboard.press("Escape");
  await isOn(page, "Edit");
  assert.equal(await focusedAfter(button(page, "Rename")), "Name of the branch");
});

pageTest("Edit gets it back, however slow the frames", server, async (page) => {
  await generateWith(page, "the cat", { max_new_tokens: 3 });
  await page.evaluate(() => {
    const soon = globalThis.requestAnimationFrame;
    globalThis.requestAnimationFrame = (act) => setTimeout(() => soon(act), 200);
  });
  await button(page, "Edit").press("Enter");
  await page.getByRole("textbox", { name: "Edited text" }).press("Escape");
  await isOn(page, "Edit");
});

pageTest("a notice that is dismissed hands it to the view", server, async (page) => {
  await page.evaluate(async () => (await import("/playground/app/notices.js")).tell("note", "A notice."));
  await button(page, "Dismiss").press("Enter");
  await page.waitForFunction(() => document.activeElement?.id === "view");
});

pageTest("every control is 24 pixels high and wide, or in a label that is", server, async (page) => {
  await generateWith(page, "the cat", { temperature: 0.9, top_k: 20, seed: 1, max_new_tokens: 5 });
  await page.locator(".flow [data-index='1']").click();
  for (const name of ["Write", "Compare", "Beams", "Learn"]) {
    await openTab(page, name);
    await page.locator(".loading").waitFor({ state: "detached" });
    await comesTo(() => page.evaluate(smallControls), [], name);
  }
});

function smallControls() {
  const all = document.querySelectorAll("button, a[href]:not(.skip), select, input:not(.unseen), summary, textarea");
  const isSmall = (element) => {
    const { width, height } = (element.closest("label") ?? element).getBoundingClientRect();
    return width > 0 && (width < 24 || height < 24);
  };
  return [...all].filter(isSmall).map((one) => one.outerHTML.slice(0, 120));
}
