// write/token/story.js tells what the server tells, in both languages.
import assert from "node:assert/strict";
import { test } from "node:test";
import { toyServer } from "../support/servers.mjs";
import { explained } from "../support/writing.mjs";
import { chosenToken, tokensOf } from "../../../src/foretell/server/web/text/token.js";
import { WORDINGS, sentencesOf, storyOf } from "../../../src/foretell/server/web/write/token/story.js";

const server = await toyServer();
const CHAINS = [
  {},
  { temperature: 1.3, seed: 1 },
  { temperature: 0.8, top_k: 20, top_p: 0.9, repetition_penalty: 1.2, seed: 2 },
  { temperature: 1.5, min_p: 0.05, typical_p: 0.9, seed: 3 },
  { temperature: 1, xtc_probability: 1, xtc_threshold: 0.1, seed: 4 },
  { temperature: 1, top_n_sigma: 1, seed: 5 },
  { choices: ["cats and dogs", "dogs"], temperature: 1, seed: 6 },
];

/** Whether the server shows these numbers as the page does: it shows fewer digits near 0 and 1. */
const isPlain = (step) => {
  const shown = [step.chosen, ...step.runners_up].flatMap((one) => one.probabilities);
  const held = step.stages.map((stage) => 1 - stage.mass);
  return [...shown, ...held].every((p) => p <= 0 || (p > 1e-4 && p < 0.9999) || p === 1);
};
const tokens = [];
for (const settings of CHAINS) {
  const event = await explained(server, "the cat", { ...settings, max_new_tokens: 40 });
  tokens.push(...tokensOf(event));
}

test("in English, word for word", () => {
  const plain = tokens.filter(({ step }) => isPlain(step) && !/\\/.test(step.why));
  assert(plain.length > 60, `${plain.length} of ${tokens.length}`);
  for (const { step, origin } of plain) {
    assert.equal(sentencesOf(step, origin, WORDINGS.en).join(" "), step.why.replaceAll("100.00%", "100%"));
  }
});

test("in Korean, with the same numbers", () => {
  for (const token of tokens) {
    const english = sentencesOf(token.step, token.origin, WORDINGS.en);
    const korean = sentencesOf(token.step, token.origin, WORDINGS.ko);
    assert.equal(korean.length, english.length);
    english.forEach((sentence, index) => {
      const numbers = (text) => text.match(/\d[\d.,e−-]*%?/g)?.map((one) => one.replaceAll(",", "").replace(/\.$/, "")).sort() ?? [];
      assert.deepEqual(numbers(korean[index]), numbers(sentence), `${korean[index]}\n${sentence}`);
    });
  }
});

test("what was cut and chosen all the same is told of as cut", () => {
  const { step } = tokens.find((token) => token.step.runners_up.some((one) => one.removed_by !== null));
  const cut = step.runners_up.find((one) => one.removed_by !== null);
  const name = step.stages[cut.removed_by].name;
  assert.match(storyOf(chosenToken(step, cut), "en"), new RegExp(`${name} [^ ]+ cut \\d+ tokens?, which held [^ ]+, and this one among them\\.`));
  assert.match(storyOf(chosenToken(step, cut), "ko"), new RegExp(`${name} [^ ]+: 이 토큰을 포함해`));
});

test("what does not go on with a form is said not to", () => {
  const held = tokens.find(({ step }) => step.stages[1]?.name === "choices" && step.stages[1].num_candidates < step.stages[0].num_candidates);
  assert.match(storyOf(held, "en"), /choices .+ cut \d+ tokens, which held/);
  assert.match(storyOf(held, "ko"), /choices: 형식에 맞지 않는 토큰 [\d,]+개\(합계 [^)]+\)를 잘라 내/);
  const favourite = [held.step.chosen, ...held.step.runners_up].find((one) => one.rank === 1);
  if (favourite.removed_by === 1) assert.match(storyOf(held, "ko"), /choices 형식에 맞지 않아 잘려 나갔습니다/);
});

test("what the reader chose is told of, too", () => {
  const [{ step }] = tokens;
  const token = chosenToken(step, step.runners_up[0]);
  assert.match(storyOf(token, "en"), /You chose it; nothing was drawn\.$/);
  assert.match(storyOf(token, "ko"), /직접 고른 것이며, 난수를 뽑지 않았습니다\.$/);
});
