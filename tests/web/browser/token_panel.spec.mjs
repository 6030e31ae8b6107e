// The region "Token": each stage, the draw, the alternatives; forks.
import assert from "node:assert/strict";
import { checkAccessible, pageTest, toyServer } from "../support/browser.mjs";
import { comesTo, counted } from "../support/eventually.mjs";
import { alternatives, explained, generateWith, textOf, textRegion, tokenRegion } from "../support/writing.mjs";

const server = await toyServer({ lines: ["the cat sat on the mat"] });
const SETTINGS = { repetition_penalty: 1.1, temperature: 0.9, top_k: 20, top_p: 0.9, seed: 5, max_new_tokens: 12 };
const percent = (p) => `${(p * 100).toFixed(2)}%`;

pageTest("each stage has a row with the server's figures", server, async (page) => {
  await generateWith(page, "the cat", SETTINGS);
  const { steps } = await explained(server, "the cat", SETTINGS);
  for (const index of [0, 7, 11]) {
    await page.locator(`.flow [data-index="${index}"]`).focus();
    const rows = tokenRegion(page).locator(".token-stage");
    await tokenRegion(page).getByText(`token ${index + 1} of`).waitFor();
    await counted(rows, steps[index].stages.length);
    for (const [number, stage] of steps[index].stages.entries()) {
      const row = (await rows.nth(number).textContent()).replaceAll(/\s+/g, " ");
      const mass = stage.mass === 1 ? "100%" : percent(stage.mass);
      for (const part of [`${stage.name} ${stage.setting}`.trim(), `${stage.num_candidates} left`, `kept ${mass}`, `entropy ${stage.entropy.toFixed(3)}`]) {
        assert(row.includes(part), `${row} lacks ${part}`);
      }
      assert(row.includes(percent(steps[index].chosen.probabilities[number])), row);
    }
    await comesTo(() => tokenRegion(page).locator(".story p").textContent(), steps[index].why);
  }
});

pageTest("the draw is shown on a line", server, async (page) => {
  await generateWith(page, "the cat", SETTINGS);
  const { steps } = await explained(server, "the cat", SETTINGS);
  await page.locator(".flow [data-index='2']").click();
  const { low, uniform, high } = steps[2].draw;
  const told = `${uniform.toFixed(4)} fell into [${low.toFixed(4)}, ${high.toFixed(4)})`;
  await comesTo(() => tokenRegion(page).locator(".draw-figures").textContent(), told);
  const place = async () => {
    const line = await page.locator(".draw-line").boundingBox();
    const mark = await page.locator(".draw-number").boundingBox();
    return (mark.x + mark.width / 2 - line.x) / line.width;
  };
  await comesTo(place, (share) => Math.abs(share - uniform) < 0.01, "where the mark moves");
});

pageTest("the alternatives are shown with the odds of the stage that is picked", server, async (page) => {
  await generateWith(page, "the cat", SETTINGS);
  const { steps } = await explained(server, "the cat", SETTINGS);
  await page.locator(".flow [data-index='3']").click();
  const shown = [steps[3].chosen, ...steps[3].runners_up].sort((one, other) => one.rank - other.rank);
  const items = alternatives(page).getByRole("listitem");
  const last = steps[3].stages.length - 1;
  for (const stage of [last, 0]) {
    await tokenRegion(page).locator(".token-stage").nth(stage).click();
    const odds = shown.map((one) => (one.logits[stage] === null ? `cut by ${steps[3].stages[one.removed_by].name}` : percent(one.probabilities[stage])));
    const areShown = (texts) => texts.length === odds.length && odds.every((one, place) => texts[place].includes(one));
    await comesTo(() => items.allTextContents(), areShown, `odds: ${odds}`);
  }
  await counted(alternatives(page).getByRole("button"), shown.length - 1);
  await checkAccessible(page);
});

pageTest("ten alternatives and more are there, of those the trace tells", server, async (page) => {
  await generateWith(page, "the cat", { temperature: 1, seed: 2, max_new_tokens: 4 });
  await page.locator(".flow [data-index='1']").click();
  await comesTo(() => alternatives(page).getByRole("listitem").count(), (number) => number >= 11);
});

pageTest("what the figures say is told, from token to token", server, async (page) => {
  await generateWith(page, "the cat", { temperature: 1, seed: 2, max_new_tokens: 4 });
  const { steps } = await explained(server, "the cat", { temperature: 1, seed: 2, max_new_tokens: 4 });
  await page.locator(".flow [data-index='1']").click();
  await tokenRegion(page).getByText("What these say").click();
  for (const index of [1, 2]) {
    await page.locator(`.flow [data-index='${index}']`).click();
    const number = Math.round(Math.exp(steps[index].stages[0].entropy));
    await tokenRegion(page).getByText(number > 1 ? `as if ${number} tokens were equally likely` : "as good as decided").waitFor();
  }
  await checkAccessible(page);
});

pageTest("greedy decoding draws nothing, and says so", server, async (page) => {
  await generateWith(page, "the cat", { max_new_tokens: 3 });
  await page.locator(".flow [data-index='1']").click();
  await tokenRegion(page).getByText("Nothing was drawn").waitFor();
});

pageTest("an alternative that is taken forks the text, and the model goes on from it", server, async (page) => {
  await generateWith(page, "the cat", { max_new_tokens: 8 });
  await comesTo(() => textOf(page), " sat on ");
  await page.locator(".flow [data-index='4']").click();
  const button = alternatives(page).getByRole("button").first();
  await button.click();
  await page.waitForFunction(() => document.querySelectorAll(".flow .token").length >= 9);
  await comesTo(() => textOf(page), (text) => text.startsWith(" sat") && !text.startsWith(" sat on "));
  await comesTo(() => page.locator(".flow .chosen").getAttribute("data-index"), "4");
  await tokenRegion(page).getByText("You chose it").waitFor();
  const branches = await page.evaluate(async () => (await import("/playground/state/store.js")).tree.value.branches.length);
  assert.equal(branches, 2);
  const ids = await page.evaluate(async () => {
    const { tokens, tree } = await import("/playground/state/store.js");
    return [...tree.value.prompt.ids, ...tokens.value.slice(0, 5).map((token) => token.id)];
  });
  const { steps } = await explained(server, ids, { max_new_tokens: 1 });
  await page.locator(".flow [data-index='5']").click();
  await comesTo(() => tokenRegion(page).locator(".story p").textContent(), steps[0].why);
});

pageTest("the pointer previews a token, a click keeps it", server, async (page) => {
  await generateWith(page, "the cat", SETTINGS);
  const place = tokenRegion(page).locator(".token-head p");
  await page.locator(".flow [data-index='2']").hover();
  await comesTo(() => place.textContent(), /^token 3 of/);
  await page.locator(".flow [data-index='6']").click();
  await page.locator(".flow [data-index='2']").hover();
  await comesTo(() => place.textContent(), /^token 3 of/);
  await page.getByRole("textbox", { name: "Prompt" }).hover();
  await comesTo(() => place.textContent(), /^token 7 of/);
  await tokenRegion(page).getByRole("button", { name: "Keep no token" }).click();
  await counted(page.locator(".flow [aria-current]"), 0);
});

pageTest("a token under the pointer is in the panel at the next frame", server, async (page) => {
  await generateWith(page, "the cat", SETTINGS);
  await page.evaluate(() => {
    globalThis.seen = [];
    const text = document.querySelector(".flow");
    text.addEventListener("pointerover", (event) => {
      const wanted = `token ${Number(event.target.dataset.index) + 1} of`;
      requestAnimationFrame(() => {
        const shown = document.querySelector(".token-head p")?.textContent ?? "";
        if (event.target.dataset.index) globalThis.seen.push(shown.startsWith(wanted));
      });
    });
  });
  for (const index of [1, 4, 2, 9, 0, 11]) await page.locator(`.flow [data-index="${index}"]`).hover();
  await page.waitForFunction(() => globalThis.seen.length >= 6);
  assert((await page.evaluate(() => globalThis.seen)).every(Boolean));
});

pageTest("in Korean the panel tells the same", server, async (page) => {
  const settings = page.locator("textarea");
  await settings.waitFor();
  await page.evaluate(async (wanted) => {
    (await import("/playground/state/store.js")).settings.value = wanted;
  }, SETTINGS);
  await page.getByRole("textbox", { name: "프롬프트" }).fill("the cat");
  await page.getByRole("button", { name: "생성", exact: true }).click();
  await page.locator(".flow [data-index='11']").click();
  const panel = page.getByRole("region", { name: "토큰", exact: true });
  const { steps } = await explained(server, "the cat", SETTINGS);
  const { stages, chosen, draw } = steps[11];
  const parts = [...stages.slice(1).map((one) => `${one.name} ${one.setting}:`), percent(chosen.probabilities[0]), draw.uniform.toFixed(6)];
  await comesTo(() => panel.locator(".story p").textContent(), (story) => parts.every((one) => story.includes(one)), `${parts}`);
  await page.getByRole("list", { name: "대안" }).waitFor();
  await page.getByRole("region", { name: "글", exact: true }).waitFor();
  await checkAccessible(page);
}, { language: "ko-KR" });

pageTest("on a phone a tap keeps a token and its panel lies over the lower edge", server, async (page) => {
  await generateWith(page, "the cat", SETTINGS);
  await page.locator(".flow [data-index='3']").click();
  const isAtEdge = ({ y, height }) => Math.abs(y + height - 780) < 2 && height <= 780 * 0.47;
  await comesTo(() => page.locator(".token-panel").boundingBox(), isAtEdge);
  await textRegion(page).waitFor();
}, { width: 360, height: 780 });
