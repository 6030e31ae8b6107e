// The prompt, the buttons that write, and one token at a time.
import assert from "node:assert/strict";
import { checkAccessible, checkLooks, generate, pageTest, toyServer } from "../support/browser.mjs";
import { comesTo, counted } from "../support/eventually.mjs";
import { button, explained, fillPrompt, generateWith, idsOf, nextBody, stateOf, textOf, useSettings, written } from "../support/writing.mjs";

const server = await toyServer({ lines: ["the cat sat on the mat"] });
const slow = await toyServer({ rate: 20 });
const WARM = { temperature: 1, max_new_tokens: 8 };

pageTest("the prompt's tokens are counted", server, async (page) => {
  await fillPrompt(page, "the cat");
  await page.getByText(/^\d+ of [\d,]+ tokens$/).waitFor();
  const answer = await fetch(`${server.url}tokenize`, { method: "POST", body: JSON.stringify({ prompt: "the cat" }) });
  const { count } = await answer.json();
  await page.getByText(new RegExp(`^${count} of `)).waitFor();
});

pageTest("a changed prompt loses nothing: generating begins another text", server, async (page) => {
  await generate(page, "the cat");
  const first = await stateOf(page);
  await fillPrompt(page, "the dog");
  await page.getByText("Generate begins a new text").waitFor();
  assert.deepEqual((await stateOf(page)).tokens, first.tokens);
  await comesTo(() => button(page, "Continue").isDisabled(), true);
  await button(page, "Generate").click();
  await button(page, "Open the cat").or(page.getByTitle("Open the cat")).first().waitFor();
  await written(page);
  const second = await stateOf(page);
  assert.equal(second.prompt.text, "the dog");
  assert.deepEqual(second.shelf[0].branches, first.branches);
  await page.getByTitle("Open the cat").click();
  await comesTo(() => page.getByRole("textbox", { name: "Prompt", exact: true }).inputValue(), "the cat");
  assert.deepEqual((await stateOf(page)).tokens, first.tokens);
  await button(page, "Delete the text the dog").click();
  await page.getByText("Deleted “the dog”.").waitFor();
  assert.equal((await stateOf(page)).shelf.length, 0);
  await button(page, "Undo").click();
  await page.getByTitle("Open the dog").waitFor();
});

pageTest("one token at a time by keys alone", server, async (page) => {
  await useSettings(page, { temperature: 1, seed: 11 });
  await fillPrompt(page, "the dog");
  await button(page, "Step").focus();
  await page.keyboard.press("Enter");
  await button(page, "Take the draw").focus();
  for (const num of [1, 2]) {
    await page.keyboard.press("Enter");
    await page.waitForFunction((count) => document.querySelectorAll(".flow [data-index]").length === count, num);
    await page.waitForFunction(() => document.querySelector(".next")?.getAttribute("aria-busy") === "false");
  }
  await page.getByRole("list", { name: "Choices" }).getByRole("button").nth(1).focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll(".flow [data-index]").length === 3);
  await comesTo(() => page.evaluate(() => document.activeElement.textContent.trim()), "Take the draw");
});

pageTest("a conversation goes on with the assistant's words", server, async (page) => {
  const bodies = [];
  await page.route("**/tokenize", (route) => {
    bodies.push(route.request().postDataJSON());
    return route.continue();
  });
  await fillPrompt(page, "Hello");
  await page.getByRole("radio", { name: "Chat" }).check();
  await page.getByRole("textbox", { name: "Message 1" }).waitFor();
  await button(page, "Add a message").click();
  await page.getByRole("textbox", { name: "Message 2" }).fill("Hi, I");
  await page.getByText("The answer goes on with these words.").waitFor();
  const messages = [{ role: "user", content: "Hello" }, { role: "assistant", content: "Hi, I" }];
  await comesTo(() => bodies.at(-1), { messages, continue_final_message: true, model: "toy" });
  await page.getByRole("combobox", { name: "Role of message 1" }).selectOption("system");
  await button(page, "Move message 2 up").click();
  await comesTo(() => page.getByRole("textbox", { name: "Message 1" }).inputValue(), "Hi, I");
  await button(page, "Remove message 1").click();
  await counted(page.getByRole("textbox", { name: /^Message/ }), 1);
  await checkLooks(page, "chat");
}, { mayFail: true });

pageTest("what the server refuses is told in its words, and leaves no branch", server, async (page) => {
  await generate(page, "the cat");
  await useSettings(page, { temperature: -1 });
  await button(page, "Generate").click();
  const alert = page.getByRole("alert");
  await alert.waitFor();
  const refused = await explained(server, "the cat", { temperature: -1 });
  await comesTo(() => alert.textContent(), (told) => told.includes(refused.error.message));
  await written(page);
  assert.equal((await stateOf(page)).branches.length, 1);
}, { mayFail: true });

pageTest("stopping keeps what has come, and going on gives what one run gives", slow, async (page) => {
  const settings = { temperature: 1, seed: 7 };
  await useSettings(page, { ...settings, max_new_tokens: 2000 }); // more than there is time for
  await fillPrompt(page, "the cat");
  await button(page, "Generate").click();
  await page.waitForFunction(() => document.querySelectorAll(".flow [data-index]").length >= 5);
  await button(page, "Stop").click();
  await page.getByText("Stopped by you.").waitFor();
  const { length } = await idsOf(page);
  assert(length >= 5 && length < 2000, `${length}`);
  await useSettings(page, { ...settings, max_new_tokens: 25 });
  await button(page, "Continue").click();
  await page.getByText("Cut at").waitFor();
  const whole = await explained(slow, "the cat", { ...settings, max_new_tokens: length + 25 });
  assert.deepEqual(await idsOf(page), whole.token_ids);
  const { runs } = (await stateOf(page)).current;
  assert.deepEqual(runs.map(({ start, end }) => [start, end]), [[0, length + 25]]);
});

pageTest("the seed that the server drew is told, kept, and gives the same again", server, async (page) => {
  await generateWith(page, "the dog", WARM);
  const first = await stateOf(page);
  const { seed } = first.current.settings;
  assert(Number.isInteger(seed));
  const again = await explained(server, "the dog", { ...WARM, seed });
  assert.deepEqual(again.token_ids, first.tokens.map((token) => token.id));
  await button(page, `seed ${seed}`).click();
  await button(page, `seed ${seed}, kept`).waitFor();
  await button(page, "Generate").click();
  await page.getByText("The same text came again").waitFor();
  assert.equal((await stateOf(page)).branches.length, 1);
});

pageTest("a new seed writes it again on a branch beside", server, async (page) => {
  await generateWith(page, "the dog", WARM);
  const first = await stateOf(page);
  await button(page, "New seed").click();
  await page.getByRole("treeitem").nth(1).waitFor();
  await written(page);
  const second = await stateOf(page);
  assert.notEqual(second.current.settings.seed, first.current.settings.seed);
  assert.equal(second.current.start, 0);
  assert.deepEqual(second.branches[0], first.branches[0]);
});

pageTest("stepping by the draw gives what a run with the seed gives", server, async (page) => {
  await useSettings(page, { temperature: 1, seed: 11 });
  await fillPrompt(page, "the dog");
  const { token_ids: ids } = await explained(server, "the dog", { temperature: 1, seed: 11, max_new_tokens: 5 });
  await button(page, "Step").click();
  for (let count = 0; count < 5; count += 1) {
    await page.getByRole("region", { name: "Choose the next token" }).waitFor();
    assert.deepEqual(await idsOf(page), ids.slice(0, count));
    await button(page, count % 2 ? "Step" : "Take the draw").click();
    await page.waitForFunction((num) => document.querySelectorAll(".flow [data-index]").length === num, count + 1);
    await page.waitForFunction(() => document.querySelector(".next")?.getAttribute("aria-busy") === "false");
  }
  assert.deepEqual(await idsOf(page), ids);
  const { runs } = (await stateOf(page)).current;
  assert.deepEqual(runs.map(({ start, end }) => [start, end]), [[0, 5]]);
});

pageTest("the choices are the server's, and the reader may take another", server, async (page) => {
  await useSettings(page, { temperature: 1, seed: 11 });
  await fillPrompt(page, "the dog");
  await button(page, "Step").click();
  const choices = page.getByRole("list", { name: "Choices" }).getByRole("button");
  await choices.first().waitFor();
  const { steps: [step] } = await explained(server, "the dog", { temperature: 1, seed: 11, max_new_tokens: 1 });
  const last = step.stages.length - 1;
  const all = [step.chosen, ...step.runners_up].sort((one, other) => other.probabilities[last] - one.probabilities[last]);
  await counted(choices, all.length);
  const shown = await choices.allTextContents();
  all.forEach((one, place) => assert(shown[place].includes(`${(one.probabilities[last] * 100).toFixed(2)}%`), shown[place]));
  const place = all.findIndex((one) => one !== step.chosen);
  await checkLooks(page, "step");
  await choices.nth(place).click();
  await page.waitForFunction(() => document.querySelectorAll(".flow [data-index]").length === 1);
  const { tokens } = await stateOf(page);
  assert.equal(tokens[0].id, all[place].token_id);
  assert.equal(tokens[0].origin, "chosen");
  await button(page, "Leave it").click();
  await page.getByRole("region", { name: "Choose the next token" }).waitFor({ state: "detached" });
});

pageTest("what begins anew in a request that goes on is told", server, async (page) => {
  await generateWith(page, "the cat", { frequency_penalty: 0.5, max_new_tokens: 3 });
  await page.getByText("do not count what is written so far: frequency_penalty").waitFor();
  await checkAccessible(page);
});

pageTest("a text of another model is not gone on with by ids; generating writes it anew", server, async (page) => {
  await generate(page, "the cat");
  await page.evaluate(async () => {
    const { tree } = await import(new URL("state/store.js", document.querySelector("script[src]").src).href);
    tree.value = { ...tree.value, model: "elsewhere-7b" };
  });
  await page.getByText("elsewhere-7b wrote this text; here is toy").waitFor();
  for (const name of ["Continue", "Step", "New seed", "Edit"]) await comesTo(() => button(page, name).isDisabled(), true, name);
  await button(page, "Generate").click();
  await page.getByTitle("Open the cat").waitFor();
  await written(page);
  await counted(page.getByText("elsewhere-7b"), 0);
  assert((await idsOf(page)).length > 0);
});

pageTest("the limit of tokens is the request's", server, async (page) => {
  await page.getByRole("spinbutton", { name: "Tokens at most" }).fill("3");
  await fillPrompt(page, "the dog");
  const asked = nextBody(page, "v1/foretell/explain");
  await button(page, "Generate").click();
  assert.equal((await asked).max_new_tokens, 3);
  await page.getByText("Cut at 3 tokens, the limit.").waitFor();
  await comesTo(() => textOf(page), /./);
});
