// The numbers on the page are those of the API, to the digits shown: random generations in each dialect.
import assert from "node:assert/strict";
import { pageTest, toyServer } from "../support/browser.mjs";
import { explained, generateWith } from "../support/writing.mjs";

const server = await toyServer({ lines: ["the cat sat on the mat"] });
const ROUNDS = 10;
const LENGTH = 10;

/** Settings by dialect: each with what is its own. */
const DIALECTS = {
  transformers: { temperature: 0.9, top_k: 30, top_p: 0.95, repetition_penalty: 1.1 },
  "llama.cpp": { dialect: "llama.cpp", temperature: 0.8, min_p: 0.02, typical_p: 0.98 },
  vllm: { dialect: "vllm", temperature: 1.1, top_p: 0.9, frequency_penalty: 0.4 },
};

/** The table's figures and, of each token, what its panel shows. */
function shown(page) {
  return page.evaluate(async () => {
    const { focus, tokens } = await import("/playground/state/store.js");
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const texts = (selector) => [...document.querySelectorAll(selector)].map((one) => one.textContent.replaceAll(/\s+/g, " "));
    const found = [];
    for (let index = 0; index < tokens.value.length; index += 1) {
      focus.value = index;
      await frame();
      found.push({
        figures: texts(".token-panel .figures dd"),
        odds: texts(".token-stage-odds"),
        left: texts(".token-stage-left"),
        candidates: texts(":is(.alternative-odds, .alternative-cut)"),
        draw: texts(".draw-figures").join(""),
      });
    }
    focus.value = null;
    return found;
  });
}

/** A figure must be the number, rounded where its digits end. */
function check(text, number, what) {
  const told = /(1 − )?(\d[\d,]*(?:\.(\d+))?)(?:e([-+]\d+))?(%)?/.exec(text);
  assert(told, `${what}: ${text}`);
  const [, rest, digits, decimals = "", exponent = "0", percent] = told;
  const unit = 10 ** (Number(exponent) - decimals.length) * (percent ? 0.01 : 1);
  const value = Number(digits.replaceAll(",", "")) * 10 ** Number(exponent) * (percent ? 0.01 : 1);
  const meant = rest ? 1 - number : number;
  const isExact = decimals === "" && exponent === "0";
  assert(Math.abs(value - meant) <= (isExact ? 0 : unit * 0.501), `${what}: ${text} is not ${number}`);
}

function checkToken(one, logprob, step, what) {
  const last = step.stages.length - 1;
  const { chosen } = step;
  check(one.figures[0], chosen.probabilities[0], `${what}, probability`);
  check(one.figures[1], logprob.rank, `${what}, rank`);
  check(one.figures[2], Math.abs(logprob.logprob), `${what}, surprisal`);
  check(one.figures[3], step.stages[0].entropy, `${what}, entropy`);
  assert.equal(one.odds.length, step.stages.length);
  step.stages.forEach((stage, index) => {
    check(one.odds[index], chosen.probabilities[index], `${what}, odds after ${stage.name}`);
    const [left, mass, entropy] = one.left[index].split(" · ");
    check(left, stage.num_candidates, `${what}, left by ${stage.name}`);
    check(mass, stage.mass, `${what}, mass after ${stage.name}`);
    check(entropy, stage.entropy, `${what}, entropy after ${stage.name}`);
  });
  const candidates = [chosen, ...step.runners_up].sort((a, b) => a.rank - b.rank);
  assert.equal(one.candidates.length, candidates.length);
  candidates.forEach((candidate, place) => {
    const text = one.candidates[place];
    if (candidate.logits[last] === null) assert.equal(text, `cut by ${step.stages[candidate.removed_by].name}`);
    else check(text, candidate.probabilities[last], `${what}, ${candidate.token}`);
  });
  const [uniform, low, high] = one.draw.match(/\d\.\d+/g);
  check(uniform, step.draw.uniform, `${what}, number drawn`);
  check(low, step.draw.low, `${what}, interval`);
  check(high, step.draw.high, `${what}, interval`);
}

for (const [dialect, settings] of Object.entries(DIALECTS)) {
  pageTest(`every number is the API's, dialect ${dialect}`, server, async (page) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const asked = { ...settings, seed: 100 + round, max_new_tokens: LENGTH };
      await generateWith(page, `the cat ${round}`, asked);
      const { logprobs, steps } = await explained(server, `the cat ${round}`, asked);
      await page.waitForFunction((length) => document.querySelector("[role='slider']")?.ariaValueMax === String(length), steps.length);
      const found = await shown(page);
      assert.equal(found.length, steps.length);
      found.forEach((one, index) => checkToken(one, logprobs[index], steps[index], `round ${round}, token ${index}`));
    }
  });
}
