// The view "Learn": lessons that set up the page, and whose words are true of the default model.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LESSONS } from "../../../src/foretell/server/web/learn/lessons.js";
import { comparisonOf } from "../../../src/foretell/server/web/learn/comparison.js";
import { boxesOf, tokensOf } from "../../../src/foretell/server/web/text/token.js";
import { checkLooks, openTab, pageTest, realServer, toyServer } from "../support/browser.mjs";
import { comesTo, counted } from "../support/eventually.mjs";
import { useSettings } from "../support/writing.mjs";

const real = await realServer();
const toy = await toyServer({ lines: ["The cat sat on the mat."] });

const ask = async (route, body) => {
  const request = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`${real.url}v1/foretell/${route}`, request);
  const found = await response.json();
  assert.equal(response.status, 200, JSON.stringify(found));
  return found;
};

const compare = (lesson) => {
  const { columns, seeds, length } = comparisonOf(lesson);
  const strategies = Object.fromEntries(columns.map((one) => [one.letter, one.settings]));
  return ask("compare", { prompt: lesson.prompt, strategies, seeds: seeds.split(",").filter(Boolean).map(Number), max_new_tokens: length });
};

const explain = ({ prompt, settings }) => ask("explain", { prompt, ...settings, logprobs: 10 });

const round = (number, digits) => Number(number.toFixed(digits));
const percent = (logprob) => Math.round(100 * Math.exp(logprob));
const stageOf = (step, name) => step.stages.find((one) => one.name === name);

/** What each lesson's words say of what one sees. */
const CLAIMS = {
  async next({ logprobs: [first], steps: [step] }, { prompt }) {
    assert.equal(first.token, " cat");
    assert.equal(round(100 * Math.exp(first.logprob), 1), 6.4);
    assert.equal(round(step.stages[0].entropy, 2), 5.68);
    assert.equal(Math.round(Math.exp(step.stages[0].entropy) / 10) * 10, 290);
    assert(!step.runners_up.slice(0, 10).some((one) => one.token === " mat"));
    const { tokens } = await ask("score", { prompt: `${prompt} mat` });
    assert.equal(round(100 * Math.exp(tokens.at(-1).logprob), 1), 0.4);
  },
  loop({ logprobs, text }) {
    const places = [12, 21, 30];
    assert.deepEqual(places.map((place) => logprobs[place].token), [" cat", " cat", " cat"]);
    for (const place of places) {
      assert.equal(logprobs.slice(place - 4, place).map((one) => one.token).join(""), " happy to have a");
    }
    assert.deepEqual(places.map((place) => percent(logprobs[place].logprob)), [24, 61, 83]);
    assert(text.split("The cat was happy to have a").length > 3);
    const mean = (some) => some.reduce((sum, one) => sum + one.logprob, 0) / some.length;
    assert(mean(logprobs.slice(0, 17)) < mean(logprobs.slice(17, 34)));
  },
  async temperature({ results: [cold, , hot] }, { prompt }) {
    const greedy = await ask("explain", { prompt, temperature: 0, max_new_tokens: 12 });
    assert.equal(cold.runs[0].text, greedy.text);
    assert.equal(round(hot.figures.mean_logprob, 1), -11.9);
    assert.equal(Math.round(Math.log10(Math.exp(hot.figures.mean_logprob))), -5);
  },
  top_k({ logprobs, steps }) {
    const masses = steps.map((step) => stageOf(step, "top_k").mass);
    assert.equal(percent(Math.log(Math.min(...masses))), 25);
    const least = masses.indexOf(Math.min(...masses));
    assert.equal(least, logprobs.findIndex((one) => one.token === " context"));
    const at = logprobs.findIndex((one) => one.token === " importance");
    assert.equal(logprobs[at + 1].token, " of");
    assert(Math.exp(logprobs[at + 1].logprob) > 0.99);
  },
  top_p({ logprobs, steps }) {
    const at = (token) => logprobs.findIndex((one) => one.token === token);
    const left = (place) => stageOf(steps[place], "top_p").num_candidates;
    assert.equal(logprobs[at(" George") + 1].token, " Washington");
    assert.equal(left(at(" George") + 1), 1);
    assert.equal(left(at("On")), 213);
    assert.deepEqual(logprobs.slice(at("On") - 2, at("On")).map((one) => one.token), ["\n", "\n"]);
  },
  draw({ steps: [{ chosen, draw, stages }] }) {
    assert.deepEqual(stages.map((one) => one.name), ["raw", "temperature", "top_k", "top_p"]);
    assert.deepEqual([chosen.token, chosen.rank], [" open", 9]);
    assert.equal(round(100 * chosen.probabilities[0], 1), 1.7);
    assert.equal(round(100 * (draw.high - draw.low), 1), 3.4);
    assert.deepEqual([draw.low, draw.high, draw.uniform].map((one) => round(one, 4)), [0.0526, 0.0863, 0.0616]);
  },
  beams({ steps }) {
    const [cat, moon] = steps[1].beams;
    const best = ({ candidates }) => [...candidates].sort((a, b) => b.total - a.total);
    assert.deepEqual([cat.text, moon.text], [" cat", " moon"]);
    assert.equal(round(best(cat)[0].total, 2), -4.31);
    assert.deepEqual(best(moon).slice(0, 2).map((one) => [round(one.total, 2), one.fate]), [[-3.82, "kept"], [-4.2, "kept"]]);
    assert(cat.candidates.every((one) => one.fate !== "kept"));
  },
  penalties({ results }) {
    const counts = results.map((one) => new Set(one.runs[0].token_ids).size);
    assert.deepEqual(counts, [13, 36, 26, 29]);
    assert(results.every((one) => one.runs[0].token_ids.length === 40));
  },
  stop({ text, stop_reason: reason, token_ids: ids }) {
    assert.deepEqual(text.match(/\w+day/g), ["Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]);
    assert.deepEqual(reason, { kind: "string", value: "\n\n" });
    assert(ids.length < 60 && !text.includes("\n\n"));
  },
  stream(found) {
    const boxes = boxesOf(tokensOf(found));
    assert.deepEqual(boxes.map((box) => box.tokens.length), [3, 3, 3, 3, 3]);
    assert(boxes.every((box) => /^\p{Emoji}$/u.test(box.text)));
    for (const { bytes } of found.logprobs) assert(new TextDecoder().decode(Uint8Array.from(bytes)).includes("\u{fffd}"));
  },
};

const ROUTES = {
  write: explain,
  compare,
  beams: ({ prompt, settings }) => ask("beams", { prompt, ...settings }),
};

test("there are ten lessons, in the order of the chapter", () => {
  const sections = LESSONS.map((lesson) => lesson.section);
  assert.equal(LESSONS.length, 10);
  assert.deepEqual(sections, [...sections].sort((a, b) => a - b));
  assert.deepEqual(Object.keys(CLAIMS), LESSONS.map((lesson) => lesson.id));
});

for (const lesson of LESSONS) {
  test(`what “${lesson.id}” says is so`, { skip: real.reason ?? false }, async () => {
    await CLAIMS[lesson.id](await ROUTES[lesson.view](lesson), lesson);
  });
}

pageTest("a lesson sets up the page, and stays beside it", toy, async (page) => {
  await openTab(page, "Learn");
  const card = page.getByRole("listitem", { name: "What may come next" });
  await card.getByRole("button", { name: "Try it" }).click();
  await page.getByRole("tab", { name: "Write", selected: true }).waitFor();
  await comesTo(() => page.getByRole("textbox", { name: "Prompt" }).inputValue(), "The cat sat on the");
  const text = page.getByRole("region", { name: "Text", exact: true });
  await text.getByRole("button").first().waitFor();
  const bar = page.getByRole("region", { name: /What may come next/ });
  await bar.getByText("Answer").click();
  await bar.getByText("“ cat” has 6.4%").waitFor();
  await bar.getByRole("button", { name: "Next" }).click();
  await page.getByRole("region", { name: /Greedy goes round/ }).waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  await openTab(page, "Learn");
  await counted(page.getByText("tried"), 2);
  await page.reload();
  await counted(page.getByText("tried"), 2);
});

pageTest("a lesson that begins has the keyboard, and gives the settings back at its end", toy, async (page) => {
  const settings = () => page.evaluate(async () => (await import("/playground/state/store.js")).settings.value);
  await useSettings(page, { temperature: 0.5 });
  await openTab(page, "Learn");
  await page.getByRole("listitem", { name: "What may come next" }).getByRole("button", { name: "Try it" }).press("Enter");
  await page.waitForFunction(() => document.activeElement?.id === "lesson-title");
  await page.getByRole("button", { name: "Next" }).press("Enter");
  await page.getByRole("region", { name: /Greedy goes round/ }).waitFor();
  await comesTo(async () => (await settings()).max_new_tokens, 50);
  await page.getByRole("button", { name: "Close" }).press("Enter");
  await comesTo(settings, { temperature: 0.5 });
  await page.waitForFunction(() => document.activeElement?.id === "view");
});

pageTest("a lesson of comparing or searching sets up its view", toy, async (page) => {
  await openTab(page, "Learn");
  await page.getByRole("listitem", { name: "Cold, as it is, hot" }).getByRole("button", { name: "Try it" }).click();
  await page.getByRole("tab", { name: "Compare", selected: true }).waitFor();
  await page.getByText("temperature 0.1").first().waitFor();
  await comesTo(() => page.getByRole("textbox", { name: "Prompt" }).inputValue(), "The cat sat on the");
  await openTab(page, "Learn");
  await page.getByRole("listitem", { name: "Beams look further" }).getByRole("button", { name: "Try it" }).click();
  await page.getByRole("tab", { name: "Beams", selected: true }).waitFor();
  await page.getByRole("treeitem").first().waitFor();
});

pageTest("a lesson looks right", toy, async (page) => {
  await openTab(page, "Learn");
  await page.getByRole("button", { name: "Try it" }).first().click();
  await page.getByRole("region", { name: /What may come next/ }).waitFor();
  await checkLooks(page, "lesson");
});

pageTest(
  "lessons are there in Korean",
  toy,
  async (page) => {
    await page.getByRole("tab", { name: "배우기" }).click();
    await page.getByRole("button", { name: "해 보기" }).first().click();
    await page.getByText("살펴볼 것").waitFor();
  },
  { language: "ko-KR" },
);
