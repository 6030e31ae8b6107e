// The region "Text": tokens, their shading, the table, the chart.
import assert from "node:assert/strict";
import { checkAccessible, checkLooks, pageTest, toyServer } from "../support/browser.mjs";
import { comesTo, counted } from "../support/eventually.mjs";
import { explained, generateWith, textOf, textRegion, tokenRegion, useSettings } from "../support/writing.mjs";

const LINE = "the cat sat on the mat, and then the other cat sat on it.";
const server = await toyServer({ lines: [LINE] });
const DRAWN = { temperature: 0.2, seed: 7, max_new_tokens: 30 };

pageTest("each token is a button that has its text as its name", server, async (page) => {
  await generateWith(page, "the cat", { max_new_tokens: 60 });
  await comesTo(() => textOf(page), LINE.slice("the cat".length));
  const text = textRegion(page);
  await counted(text.getByRole("button", { name: "cat", exact: true }), 1);
  await counted(text.getByRole("button", { name: "the", exact: true }), 4);
  await comesTo(() => text.getByRole("button", { name: "space", exact: true }).count(), (number) => number > 3);
  await text.getByRole("button", { name: "<|end|>, which ends the text", exact: true }).waitFor();
});

pageTest("one token can be reached by Tab, and it is the one in focus", server, async (page) => {
  await generateWith(page, "the cat", { max_new_tokens: 60 });
  const reached = page.locator(".flow [tabindex='0']");
  const indices = () => reached.evaluateAll((all) => all.map((one) => [one.dataset.index, one.ariaCurrent]));
  await comesTo(indices, [["0", null]]);
  await page.locator(".flow [data-index='5']").click();
  await comesTo(indices, [["5", "true"]]);
});

pageTest("the shading is the reader's choice, and has a second sign", server, async (page) => {
  await generateWith(page, "the cat", DRAWN);
  const steps = () =>
    page.locator(".flow .token").evaluateAll((tokens) => tokens.map((one) => one.className.match(/step-(\d)/)?.[1] ?? ""));
  const seen = new Set();
  for (const measure of ["Probability", "Surprisal", "Entropy"]) {
    await page.getByLabel("Shading").selectOption(measure.toLowerCase());
    const found = await comesTo(steps, (all) => all.every((step) => step !== "") && !seen.has(all.join()), measure);
    seen.add(found.join());
    const legend = page.getByRole("list", { name: "Key to the steps" });
    await counted(legend.getByRole("listitem"), 5);
    const signs = await legend.locator(".token").evaluateAll((tokens) =>
      tokens.map((one) => {
        const { textDecorationLine, textDecorationStyle, textDecorationThickness } = getComputedStyle(one);
        return [textDecorationLine, textDecorationStyle, textDecorationThickness].join();
      }),
    );
    assert.equal(new Set(signs).size, 5);
  }
  assert.equal(seen.size, 3);
  await page.getByLabel("Shading").selectOption("none");
  await comesTo(steps, (all) => all.length > 0 && all.every((step) => step === ""));
});

pageTest("the table has the server's figures of each token", server, async (page) => {
  await generateWith(page, "the cat", DRAWN);
  await page.getByLabel("As a table").check();
  const { logprobs, steps } = await explained(server, "the cat", DRAWN);
  await counted(page.locator(".token-table tbody tr"), logprobs.length);
  const rows = await page.locator(".token-table tbody tr").evaluateAll((rows) =>
    rows.map((row) => [...row.cells].map((cell) => cell.textContent)),
  );
  rows.forEach(([number, , probability, rank, surprisal, entropy, origin], index) => {
    const { logprob, rank: itsRank } = logprobs[index];
    assert.equal(number, String(index + 1));
    assert.equal(probability, `${(steps[index].chosen.probabilities[0] * 100).toFixed(2)}%`);
    assert.equal(rank, String(itsRank));
    assert.equal(surprisal, (-logprob).toFixed(3));
    assert.equal(entropy, steps[index].stages[0].entropy.toFixed(3));
    assert.equal(origin, "generated");
  });
  await page.locator(".token-table [data-index='3']").click();
  await tokenRegion(page).getByText("token 4 of").waitFor();
  await checkAccessible(page);
});

pageTest("a screen reader hears of the beginning and the end, not of each token", server, async (page) => {
  await page.evaluate(() => {
    const place = document.querySelector("[aria-live='polite']");
    globalThis.heard = [];
    let last = place.textContent;
    const hear = () => {
      if (place.textContent !== last) globalThis.heard.push(place.textContent); // the same one is not read out again
      last = place.textContent;
    };
    new MutationObserver(hear).observe(place, { childList: true, characterData: true, subtree: true });
  });
  await generateWith(page, "the cat", DRAWN);
  await comesTo(() => page.evaluate(() => globalThis.heard), ["Writing.", "30 tokens written. The length is reached."]);
});

pageTest("the chart follows the token in focus, and leads to others", server, async (page) => {
  await generateWith(page, "the cat", DRAWN);
  const chart = page.getByRole("slider", { name: "Position in the text" });
  await page.locator(".flow [data-index='9']").click();
  await comesTo(() => chart.getAttribute("aria-valuenow"), "10");
  const { x, y, width, height } = await chart.boundingBox();
  await page.mouse.click(x + (width * 25.5) / 30, y + height / 2);
  await tokenRegion(page).getByText("token 26 of 30").waitFor();
  await chart.press("ArrowRight");
  await comesTo(() => chart.getAttribute("aria-valuenow"), "27");
  await comesTo(() => chart.getAttribute("aria-valuetext"), /Entropy \d+\.\d{3}$/);
  await chart.press("Home");
  await tokenRegion(page).getByText("token 1 of 30").waitFor();
  const { steps } = await explained(server, "the cat", DRAWN);
  const entropies = steps.map((step) => step.stages[0].entropy);
  const mean = entropies.reduce((sum, one) => sum + one) / entropies.length;
  const figures = [`${mean.toFixed(3)} nats on average`, `${Math.max(...entropies).toFixed(3)} at most`];
  await comesTo(() => page.locator("#strip-summary").textContent(), (summary) => figures.every((one) => summary.includes(one)), `${figures}`);
});

pageTest("the prompt's tokens stand before the text for who wants them", server, async (page) => {
  await generateWith(page, "the cat", DRAWN);
  await page.getByLabel("With the prompt").check();
  const prompt = page.getByRole("group", { name: "The prompt’s tokens" });
  await prompt.waitFor();
  await comesTo(() => prompt.locator("span").allTextContents(), ["the", " cat"]);
});

pageTest("what the reader typed or chose stands apart", server, async (page) => {
  await generateWith(page, "the cat", DRAWN);
  await page.evaluate(async () => {
    const { tree } = await import("/playground/state/store.js");
    const { withTokens } = await import("/playground/state/tree.js");
    const { typedToken } = await import("/playground/text/token.js");
    tree.value = withTokens(tree.value, tree.value.current, [typedToken(97, "a", [97])]);
  });
  const typed = page.locator(".flow .typed");
  await comesTo(() => typed.textContent(), "a");
  await comesTo(() => typed.evaluate((one) => getComputedStyle(one).borderBlockStartStyle), "dotted");
  await typed.click();
  await tokenRegion(page).getByText("You typed this token").waitFor();
});

pageTest("a text with a token in focus looks right", server, async (page) => {
  await generateWith(page, "the cat", { ...DRAWN, top_k: 20, top_p: 0.9 });
  await page.locator(".flow [data-index='4']").click();
  await checkLooks(page, "write-token");
});

pageTest("nothing moves where the reader wants no motion", server, async (page) => {
  await useSettings(page, DRAWN);
  await generateWith(page, "the cat", DRAWN);
  await page.locator(".flow [data-index='4']").click();
  const bars = page.locator(".token-stage .bar i, .draw-interval, .alternative-bar i");
  const times = () => bars.evaluateAll((all) => all.map((one) => getComputedStyle(one).transitionDuration));
  await comesTo(times, (all) => all.length > 3 && all.every((time) => /^0s(, 0s)*$/.test(time)));
}, { reducedMotion: true });
