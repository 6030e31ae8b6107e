// Edit anywhere, and go on by the ids of what was not touched.
import assert from "node:assert/strict";
import { checkLooks, pageTest, toyServer } from "../support/browser.mjs";
import { comesTo, counted } from "../support/eventually.mjs";
import { button, generateWith, idsOf, nextBody, stateOf, textOf, written } from "../support/writing.mjs";

const server = await toyServer({ lines: [] });
const SETTINGS = { temperature: 1, seed: 3, max_new_tokens: 40 };

/** Open the field; gives it, and what is in it. */
async function editing(page) {
  await button(page, "Edit").click();
  const field = page.getByRole("textbox", { name: "Edited text" });
  return { field, text: await field.inputValue() };
}

pageTest("what was not touched goes on by its ids, from the cache", server, async (page) => {
  const prompt = "the cat sat on the mat and ";
  await page.route("**/v1/foretell/score", (route) => route.fulfill({ json: { tokens: [] } })); // it fills the cache, too
  await generateWith(page, prompt, SETTINGS);
  const before = await stateOf(page);
  const { field, text } = await editing(page);
  const kept = [...text].slice(0, -4).join("");
  await field.fill(`${kept} 고양이 🐈`);
  await checkLooks(page, "edit");
  const sent = page.waitForResponse((one) => one.url().endsWith("v1/foretell/explain"));
  const tokenized = nextBody(page, "tokenize");
  await button(page, "Done, and continue").click();
  const asked = await tokenized;
  assert.deepEqual([asked.add_special_tokens, asked.parse_special], [false, false]);
  const body = await (await sent).text();
  await written(page);
  const after = await stateOf(page);
  const num_kept = after.tokens.findIndex((token) => token.origin === "typed");
  assert(num_kept > 20, `${num_kept}`);
  assert.deepEqual(after.tokens.slice(0, num_kept), before.tokens.slice(0, num_kept));
  const typed = after.tokens.filter((token) => token.origin === "typed");
  assert.equal(Buffer.from(typed.flatMap((token) => token.bytes)).toString(), asked.prompt);
  assert((await stateOf(page)).text.startsWith(`${kept} 고양이 🐈`));
  const whole = body.split("\n\n").map((one) => one.replace("data: ", "")).find((one) => one.startsWith('{"object":"foretell.explain",'));
  const { usage, prompt_token_ids: ids } = JSON.parse(whole);
  assert.deepEqual(ids.slice(-typed.length), typed.map((token) => token.id));
  const unchanged = ids.length - typed.length;
  assert(usage.cached_tokens >= 16 * Math.floor(unchanged / 16), `${usage.cached_tokens} of ${unchanged}`);
  assert.equal(after.branches.length, 2);
  assert.deepEqual(after.branches[0], before.branches[0]);
});

pageTest("what was typed is rated as the server rates it", server, async (page) => {
  await generateWith(page, "the cat ", SETTINGS);
  const { field, text } = await editing(page);
  await field.fill(`${text.slice(0, 5)} sat`);
  await button(page, "Done").click();
  await field.waitFor({ state: "detached" }); // the branch is there
  const isRated = ({ tokens }) => tokens.every((token) => token.logprob !== null);
  const { prompt, tokens } = await comesTo(() => stateOf(page), isRated, "what was typed");
  const ids = [...prompt.ids, ...tokens.map((token) => token.id)];
  const answer = await fetch(`${server.url}v1/foretell/score`, { method: "POST", body: JSON.stringify({ prompt: ids }) });
  const rated = (await answer.json()).tokens.slice(prompt.ids.length);
  assert(tokens.some((token) => token.origin === "typed"));
  assert.deepEqual(tokens.map(({ logprob, rank }) => [logprob, rank]), rated.map(({ logprob, rank }) => [logprob, rank]));
});

pageTest("done without a change is no branch; cancelled neither", server, async (page) => {
  await generateWith(page, "the cat ", SETTINGS);
  const ids = await idsOf(page);
  await editing(page);
  await button(page, "Done").click();
  const { field } = await editing(page);
  await field.fill("something else");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.activeElement?.textContent.trim() === "Edit");
  assert.equal((await stateOf(page)).branches.length, 1);
  assert.deepEqual(await idsOf(page), ids);
});

pageTest("markup that is typed is text", server, async (page) => {
  await generateWith(page, "the cat ", SETTINGS);
  const { field } = await editing(page);
  const hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>";
  await field.fill(hostile);
  await button(page, "Done").click();
  await field.waitFor({ state: "detached" });
  await comesTo(() => textOf(page), hostile);
  assert.equal((await stateOf(page)).text, hostile);
  await counted(page.locator("main img, main script"), 0);
});
