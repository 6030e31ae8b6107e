// The view "Compare": settings side by side.
import assert from "node:assert/strict";
import { checkLooks, openTab, pageTest, toyServer } from "../support/browser.mjs";
import { comesTo, counted } from "../support/eventually.mjs";
import { showFigure } from "../../../src/foretell/server/web/compare/figures.js";

const LINE = "the cat sat on the mat <b onclick=alert(1)>and ran</b> 고양이";
const fast = await toyServer({ lines: [LINE] });
const slow = await toyServer({ lines: [LINE], rate: 12 });

const column = (page, letter) => page.getByRole("listitem", { name: `Settings ${letter}`, exact: true });
const texts = (page, letter) => column(page, letter).getByRole("group", { name: /^Text of/ });
const button = (page, name) => page.getByRole("button", { name, exact: true });

async function begin(page, { prompt = "the cat", tokens = 12, seeds = "1" } = {}) {
  await openTab(page, "Compare");
  await page.getByRole("textbox", { name: "Prompt" }).fill(prompt);
  await page.getByRole("spinbutton", { name: "Tokens" }).fill(`${tokens}`);
  await page.getByRole("textbox", { name: "Seeds" }).fill(seeds);
  await button(page, "Generate").click();
}

async function compare(page, wishes) {
  await begin(page, wishes);
  await page.getByRole("table").waitFor();
}

/** What the API answers the same request with. */
function asked(server, body) {
  return fetch(`${server.url.replace(/\/$/, "")}/v1/foretell/compare`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  }).then((answer) => answer.json());
}

const STRATEGIES = { A: { do_sample: false }, B: { temperature: 0.8, top_p: 0.9 }, C: { temperature: 1.5 } };

pageTest("texts are written side by side, and stopped", slow, async (page) => {
  await begin(page, { tokens: 400 });
  for (const letter of ["A", "B", "C"]) await texts(page, letter).locator(".token").nth(3).waitFor();
  assert(await button(page, "Stop").isEnabled());
  const counts = () => Promise.all(["A", "B", "C"].map((letter) => texts(page, letter).locator(".token").count()));
  const found = await counts();
  assert(Math.max(...found) - Math.min(...found) < 40, `side by side: ${found}`);
  await button(page, "Stop").click();
  await page.locator("button.main:not(:disabled)").waitFor();
  const ended = await counts();
  await page.waitForTimeout(400);
  assert.deepEqual(await counts(), ended, "nothing comes after the end, and what has come stays");
});

pageTest("texts and figures are those of the API", fast, async (page) => {
  await compare(page, { seeds: "4, 7" });
  const body = { prompt: "the cat", strategies: STRATEGIES, seeds: [4, 7], max_new_tokens: 12 };
  const { results } = await asked(fast, body);
  for (const { name, runs, figures } of results) {
    const shown = () =>
      texts(page, name).evaluateAll((all) =>
        all.map((one) => [...one.querySelectorAll("[data-index]")].map((token) => token.textContent).join("")),
      );
    await comesTo(shown, runs.map(({ text }) => text));
    const place = Object.keys(STRATEGIES).indexOf(name) + 1;
    for (const [figure, value] of Object.entries(figures)) {
      const cell = page.locator(`[data-figure=${figure}] td:nth-child(${place + 1}) .figure-value`);
      await comesTo(() => cell.textContent(), showFigure(figure, value), `${figure} of ${name}`);
    }
  }
});

pageTest("it is marked where texts part", fast, async (page) => {
  await compare(page, { seeds: "4," });
  const { results } = await asked(fast, { prompt: "the cat", strategies: STRATEGIES, seeds: [4], max_new_tokens: 12 });
  const [first, ...others] = results.map(({ runs }) => runs[0].token_ids);
  for (const [index, ids] of others.entries()) {
    const letter = "BC"[index];
    const place = ids.findIndex((id, position) => id !== first[position]);
    const told = place < 0 ? "the same as A" : `parts from A at token ${place + 1}`;
    await comesTo(() => column(page, letter).locator(".run-head").textContent(), new RegExp(told));
  }
  await counted(column(page, "A").locator(".parting"), 0);
  await page.getByRole("combobox", { name: "Held against" }).selectOption("C");
  await comesTo(() => column(page, "A").locator(".run-head").textContent(), /from C|as C/);
  await counted(column(page, "C").locator(".parting"), 0);
});

pageTest("columns come, change and go", fast, async (page) => {
  await openTab(page, "Compare");
  for (let number = 0; number < 3; number += 1) await button(page, "Add settings").click();
  await counted(page.locator(".column"), 6);
  await comesTo(() => button(page, "Add settings").isDisabled(), true);
  await button(page, "Remove B").click();
  await button(page, "Copy A").click();
  await column(page, "B").getByText("Change the settings").click();
  await column(page, "B").getByRole("spinbutton", { name: "top_k" }).fill("3");
  await column(page, "B").getByRole("heading", { name: "top_k 3" }).waitFor();
  await column(page, "B").getByRole("textbox", { name: "All settings as JSON" }).fill('{"num_beams": 2, "stop": ["o"]}');
  await column(page, "B").getByRole("heading", { name: 'num_beams 2 · stop ["o"]' }).waitFor();
  await column(page, "B").getByRole("textbox").fill("{");
  await column(page, "B").getByText("This is no JSON object").waitFor();
});

pageTest("what is refused is told at its column", fast, async (page) => {
  await openTab(page, "Compare");
  await column(page, "B").getByText("Change the settings").click();
  await column(page, "B").getByRole("spinbutton", { name: "top_p" }).fill("7");
  await begin(page);
  await comesTo(() => column(page, "B").getByRole("alert").textContent(), /^top_p=7.* is out of range/);
  await column(page, "B").getByRole("spinbutton", { name: "top_p" }).fill("0.5");
  await page.getByRole("textbox", { name: "Seeds" }).fill("many");
  await button(page, "Generate").click();
  await page.getByText("Seeds must be how many there are").waitFor();
}, { mayFail: true });

pageTest("by keyboard alone: a prompt, a comparison, its tokens", fast, async (page) => {
  await page.getByRole("tab", { name: "Write" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.locator(".columns").waitFor();
  await reach(page, (one) => one.tagName === "TEXTAREA");
  await page.keyboard.type("the cat");
  await reach(page, (one) => one.textContent.trim() === "Generate");
  await page.keyboard.press("Enter");
  await page.getByRole("table").waitFor();
  await reach(page, (one) => one.classList.contains("run-text"));
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  const told = column(page, "A").locator(".run-token");
  await comesTo(() => told.textContent(), /^“.+”: [\d.]+%, rank 1, token 2 of \d+$/);
  await page.keyboard.press("End");
  await comesTo(() => told.textContent(), /token (\d+) of \1$/);
});

/** Press Tab until the focus is where it is wanted. */
async function reach(page, isThere) {
  for (let number = 0; number < 60; number += 1) {
    if (await page.evaluate(`(${isThere})(document.activeElement)`)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail("the tab key does not lead there");
}

pageTest("a text becomes a branch in Write", fast, async (page) => {
  await compare(page, { tokens: 6 });
  const written = (await texts(page, "A").locator("[data-index]").allTextContents()).join("");
  await column(page, "A").getByRole("button", { name: "Take into Write" }).click();
  const text = page.getByRole("region", { name: "Text", exact: true });
  await text.waitFor();
  await comesTo(() => page.getByRole("textbox", { name: "Prompt" }).inputValue(), "the cat");
  await comesTo(() => text.textContent(), (shown) => shown.includes(written.trim()), written);
});

pageTest("a text that was taken into Write tells of each token how it was chosen", fast, async (page) => {
  await compare(page, { tokens: 6 });
  const explained = page.waitForResponse("**/v1/foretell/explain");
  await column(page, "B").getByRole("button", { name: "Take into Write" }).click();
  await explained;
  await page.getByRole("region", { name: "Text", exact: true }).getByRole("button").first().click();
  const panel = page.getByRole("region", { name: "Token", exact: true });
  await panel.getByText("top_p 0.9").first().waitFor();
  await panel.getByRole("list", { name: "Alternatives" }).waitFor();
});

pageTest("markup of a model is text", fast, async (page) => {
  await compare(page, { prompt: "the cat sat on the mat", tokens: 60 });
  const first = texts(page, "A");
  await comesTo(() => first.textContent(), /<b onclick=alert\(1\)>/);
  await comesTo(async () => (await first.locator("[data-index]").allTextContents()).join(""), /고양이/);
  await counted(first.locator("b"), 0);
});

pageTest("a comparison looks right", fast, async (page) => {
  await compare(page, { tokens: 40, seeds: "2" });
  await checkLooks(page, "compare-found");
});

pageTest("it speaks Korean", fast, async (page) => {
  await page.getByRole("tab", { name: "비교" }).click();
  await page.getByRole("textbox", { name: "프롬프트" }).fill("the cat");
  await page.getByRole("button", { name: "생성", exact: true }).click();
  await page.getByRole("rowheader", { name: /퍼플렉시티/ }).waitFor();
}, { language: "ko-KR" });
