// The form "Settings": what can be set, what is refused, what is seen of the next token.
import assert from "node:assert/strict";
import { checkLooks, pageTest, toyServer } from "../support/browser.mjs";
import { comesTo, counted } from "../support/eventually.mjs";
import { explained, generateWith, textRegion, tokenRegion } from "../support/writing.mjs";
import { EXAMPLES } from "../../../src/foretell/server/web/settings/rare/examples.js";

const server = await toyServer({ lines: ["the cat sat on the mat"] });
const locked = await toyServer({ keys: ["secret"] });

const form = (page) => page.getByRole("form", { name: "Settings" });
const field = (page, name) => form(page).locator(`[data-setting="${name}"]`);
const box = (page, name) => form(page).getByRole("textbox", { name, exact: true });
const next = (page) => form(page).getByRole("region", { name: "Next token" });

/** Bodies of the requests that check settings, as they come. */
function bodiesOf(page) {
  const bodies = [];
  page.on("request", (request) => {
    if (!request.url().endsWith("/v1/foretell/settings")) return;
    const { model, ...settings } = JSON.parse(request.postData());
    assert.ok([undefined, "toy"].includes(model)); // once it is known: the server must be who it was
    bodies.push(settings);
  });
  return bodies;
}

/** Wait until the latest body is one that a test is content with. */
const until = (bodies, isRight, what) => comesTo(() => bodies.at(-1), (body) => body !== undefined && isRight(body), what);

async function write(page, prompt) {
  await page.getByRole("textbox", { name: "Prompt" }).fill(prompt);
  await next(page).getByRole("table").waitFor();
}

async function openAll(page) {
  await box(page, "temperature").waitFor();
  const folded = form(page).locator(".settings-group:not([open]) > summary");
  while ((await folded.count()) > 0) await folded.first().click();
}

async function ask(path, body) {
  const headers = { "Content-Type": "application/json" };
  return (await fetch(new URL(path, server.url), { method: "POST", headers, body: JSON.stringify(body) })).json();
}

const guide = await (await fetch(new URL("v1/foretell/guide", server.url))).json();
const isHere = (topic) => topic.refused === null && topic.kind !== "report" && !topic.not_for.includes("explain");
const topics = guide.settings.filter((topic) => isHere(topic) && !["preset", "dialect", "processors"].includes(topic.name));

/** Set a setting as a person would; what the request then has. */
async function setOne(page, topic) {
  const place = field(page, topic.name);
  const input = place.getByRole("textbox").first();
  const { notation, low, high, useful } = topic;
  const add = async (text) => {
    await input.fill(text);
    await input.press("Enter");
  };
  if (notation === "flag") return [await place.getByRole("radio", { name: "on", exact: true }).check(), true];
  if (notation === "integer" && low !== null && high !== null && high - low < 4) {
    return [await place.getByRole("radio", { name: "2", exact: true }).check(), 2];
  }
  if (notation === "integer") return [await input.fill(`${useful?.[1] ?? (low ?? 0) + 3}`), useful?.[1] ?? (low ?? 0) + 3];
  if (notation === "number") return [await input.fill(`${useful?.[1] ?? 0.5}`), useful?.[1] ?? 0.5];
  if (notation === "schema" || topic.name in EXAMPLES) {
    await place.getByRole("button", { name: `Put an example into ${topic.name}` }).click();
    return [undefined, EXAMPLES[topic.name]];
  }
  if (notation === "choice") return [await place.getByRole("radio", { name: topic.choices[1], exact: true }).check(), topic.choices[1]];
  if (notation === "text") return [await input.fill("no dogs"), "no dogs"];
  if (notation === "texts") return [await add("a b"), ["a b"]];
  if (notation === "token_id") return [await add("5"), 5];
  if (notation === "token_ids") return [await add("5 6"), [5, 6]];
  if (notation === "id_sequences") return [await add("5 6"), [[5, 6]]];
  if (notation === "token_biases") return [await add("5"), { 5: 2 }];
  if (notation === "sequence_biases") return [await add("5 6"), [[[5, 6], 2]]];
  if (notation === "scope") return [await place.getByRole("radio", { name: "output", exact: true }).check(), "output"];
  if (notation === "decay") return [await place.getByRole("radio", { name: "on", exact: true }).check(), [100, 1.01]];
  if (notation === "words") return [await add("no dogs"), ["no dogs"]];
  if (notation === "layers") {
    await input.fill("1 2");
    return [await input.press("Enter"), [1, 2]];
  }
  if (notation === "watermark") return [await place.getByRole("radio", { name: "on", exact: true }).check(), true];
  if (notation === "detection") {
    return [await place.getByRole("radio", { name: "on", exact: true }).check(), { max_pattern_size: 20, min_pattern_size: 1, min_count: 4 }];
  }
  return assert.fail(`nobody knows how to set ${topic.name}, written as ${notation}`);
}

for (const group of guide.groups) {
  const own = topics.filter((topic) => topic.group === group.name);
  if (own.length === 0) continue;
  pageTest(
    `every setting of ${group.name} can be set, and taken back`,
    server,
    async (page) => {
      const bodies = bodiesOf(page);
      await openAll(page);
      for (const topic of own) {
        const [, value] = await setOne(page, topic);
        await until(bodies, (body) => JSON.stringify(body) === JSON.stringify({ [topic.name]: value }), topic.name);
        await form(page).getByRole("button", { name: `Reset ${topic.name}`, exact: true }).click();
        await until(bodies, (body) => !(topic.name in body), `${topic.name} taken back`);
      }
    },
    { mayFail: true }, // some have no effect alone, and the server says so
  );
}

pageTest("every field has a name and a description", server, async (page) => {
  await openAll(page);
  const bare = await form(page).evaluate((element) => {
    const controls = [...element.querySelectorAll(".field input:not([type=radio]):not([type=checkbox]), .field textarea, [role=radiogroup]")];
    const text = (one, attribute) =>
      (one.getAttribute(attribute) ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join("");
    return controls
      .filter((one) => !(one.getAttribute("aria-label") || text(one, "aria-labelledby")) || !text(one, "aria-describedby"))
      .map((one) => one.closest("[data-setting]")?.getAttribute("data-setting"));
  });
  assert.deepEqual(bare, []);
});

pageTest("a schema counts once it is a JSON object", server, async (page) => {
  const bodies = bodiesOf(page);
  await openAll(page);
  const schema = box(page, "json_schema");
  await schema.pressSequentially('{"type": "obj');
  await field(page, "json_schema").getByText("this is no JSON object").waitFor();
  await comesTo(() => schema.getAttribute("aria-invalid"), "true");
  await schema.pressSequentially('ect"}');
  await until(bodies, (body) => body.json_schema?.type === "object", "typed to its end");
  assert.equal(await schema.inputValue(), '{"type": "object"}');
  await schema.blur();
  await comesTo(() => schema.inputValue(), '{\n  "type": "object"\n}');
  await comesTo(() => schema.getAttribute("aria-invalid"), "false");
  await schema.fill("{}");
  await until(bodies, (body) => !("json_schema" in body), "an empty one is none");
  assert.equal(await schema.inputValue(), "{}", "what is typed stays");
  await schema.fill("[1]");
  await field(page, "json_schema").getByText("this is no JSON object").waitFor();
});

pageTest("a form of the text is a stage of the chain", server, async (page) => {
  await write(page, "the cat");
  await openAll(page);
  await field(page, "choices").getByRole("textbox").fill("yes");
  await field(page, "choices").getByRole("textbox").press("Enter");
  await box(page, "temperature").fill("0.8");
  await next(page).getByText(/^1 of /).waitFor();
  await comesTo(() => stages(page), ["choices", "temperature"]);
});

pageTest("not set is a state of its own", server, async (page) => {
  const bodies = bodiesOf(page);
  const reset = form(page).getByRole("button", { name: "Reset top_k", exact: true });
  await box(page, "top_k").fill("0");
  await until(bodies, (body) => body.top_k === 0, "zero is a value");
  await reset.click();
  await until(bodies, (body) => !("top_k" in body), "taken back");
  await comesTo(() => box(page, "top_k").inputValue(), "");
  await comesTo(() => box(page, "top_k").getAttribute("placeholder"), "not set");
  await box(page, "top_k").fill("5");
  await box(page, "top_p").fill("0.5");
  await form(page).getByRole("button", { name: "Reset all" }).click();
  await until(bodies, (body) => Object.keys(body).length === 0, "all taken back");
  await comesTo(() => box(page, "top_p").inputValue(), "");
});

pageTest("a slider sets what its number shows, and keys move both", server, async (page) => {
  const bodies = bodiesOf(page);
  const slider = form(page).getByRole("slider", { name: "temperature" });
  await comesTo(() => slider.getAttribute("aria-valuetext"), "not set");
  await slider.focus();
  await slider.press("ArrowRight");
  await until(bodies, (body) => body.temperature > 1 && body.temperature < 1.1, "a step above neutral");
  const shown = await comesTo(() => box(page, "temperature").inputValue(), /./);
  await comesTo(() => slider.getAttribute("aria-valuetext"), shown);
  await box(page, "temperature").fill("0.5");
  await until(bodies, (body) => body.temperature === 0.5, "typed");
  await box(page, "temperature").press("ArrowUp");
  await until(bodies, (body) => body.temperature > 0.5 && body.temperature < 0.6, "a step up");
  await box(page, "seed").fill("7");
  await box(page, "seed").press("ArrowUp");
  await until(bodies, (body) => body.seed === 8, "one up");
});

pageTest(
  "a contradiction is refused beside the field, in the server's own words",
  server,
  async (page) => {
    await write(page, "the cat");
    await openAll(page);
    await field(page, "mirostat").getByRole("radio", { name: "2", exact: true }).check();
    await box(page, "top_k").fill("5");
    const { error } = await ask("v1/foretell/settings", { mirostat: 2, top_k: 5 });
    await field(page, "top_k").getByText(error.message).waitFor();
    await comesTo(() => box(page, "top_k").getAttribute("aria-invalid"), "true");
    await next(page).getByText(error.message).waitFor();
    await form(page).getByRole("button", { name: "Reset mirostat", exact: true }).click();
    await field(page, "top_k").getByText(error.message).waitFor({ state: "detached" });
    await comesTo(() => box(page, "top_k").getAttribute("aria-invalid"), "false");
  },
  { mayFail: true },
);

pageTest(
  "what is out of range is refused, and its field is found from above",
  server,
  async (page) => {
    await write(page, "the cat");
    await form(page).getByText("Samplers that cut").click();
    await box(page, "typical_p").fill("7");
    const { error } = await ask("v1/foretell/settings", { typical_p: 7 });
    assert.match(error.message, /out of range/);
    await next(page).getByRole("button", { name: "Show the field" }).click();
    await comesTo(() => box(page, "typical_p").evaluate((one) => one === document.activeElement), true);
    await box(page, "typical_p").fill("abc");
    await field(page, "typical_p").getByText("this is no number").waitFor();
    await box(page, "seed").fill("18446744073709551615");
    await field(page, "seed").getByText("9007199254740991").waitFor();
  },
  { mayFail: true },
);

pageTest("what is legal and odd earns the server's warning", server, async (page) => {
  await box(page, "temperature").fill("5");
  const { warnings } = await ask("v1/foretell/settings", { temperature: 5 });
  assert.equal(warnings.length, 1);
  await field(page, "temperature").getByText(warnings[0]).waitFor();
});

pageTest("the next token is seen before anything is written", server, async (page) => {
  await next(page).getByText("Write a prompt").waitFor();
  await write(page, "the cat");
  await next(page).getByText("Greedy").waitFor();
  await box(page, "temperature").fill("1.5");
  await box(page, "top_k").fill("3");
  await next(page).getByText("Sampling").waitFor();
  await next(page).getByText(/^3 of /).waitFor();
  const { tokens: prompt } = await ask("tokenize", { prompt: "the cat" });
  const told = await ask("v1/foretell/next", { prompt, temperature: 1.5, top_k: 3 });
  const cells = () => next(page).locator("tbody tr").first().locator("td.outlook-number").allInnerTexts();
  await comesTo(cells, [told.tokens[0].probability, told.tokens[0].final_probability].map((one) => `${(one * 100).toFixed(2)}%`));
  await next(page).getByText(`entropy ${told.entropy.toFixed(3)} → ${told.final_entropy.toFixed(3)} nats`).waitFor();
  await counted(next(page).locator('tbody tr[data-cut="true"]'), 5);
});

pageTest("what acts at the end alone does not hide the next token", server, async (page) => {
  await write(page, "the cat");
  await openAll(page);
  await box(page, "max_new_tokens").fill("5");
  await box(page, "forced_eos_token_id").fill("7");
  await box(page, "forced_eos_token_id").press("Enter");
  await box(page, "top_k").fill("3");
  await next(page).getByText(/^3 of /).waitFor();
  await counted(form(page).locator(".field-error"), 0);
});

pageTest("what is refused leaves no stage and no value of settings before it", server, async (page) => {
  await write(page, "the cat");
  await openAll(page);
  await form(page).getByLabel("Preset").selectOption("code");
  await page.waitForFunction(() => document.querySelectorAll(".chain-stage").length === 2);
  await form(page).getByLabel("Preset").selectOption("");
  await box(page, "typical_p").fill("7");
  await field(page, "typical_p").getByText("out of range").waitFor();
  await comesTo(() => box(page, "temperature").getAttribute("placeholder"), "not set");
  await comesTo(() => stages(page), ["typical_p"]);
}, { mayFail: true });

pageTest("the latest change wins", server, async (page) => {
  await write(page, "the cat");
  let delayed = false;
  await page.route("**/v1/foretell/next", async (route) => {
    if (!delayed && route.request().postData().includes('"top_k":2')) {
      delayed = true;
      await new Promise((resolve) => setTimeout(resolve, 900));
    }
    await route.continue().catch(() => undefined); // the page has given it up
  });
  await box(page, "top_k").fill("2");
  await page.waitForRequest("**/v1/foretell/next");
  await box(page, "top_k").fill("4");
  await next(page).getByText(/^4 of /).waitFor();
  await page.waitForTimeout(1100);
  await next(page).getByText(/^4 of /).waitFor();
});

pageTest("a preset and a dialect show what they set; the reader's own values win", server, async (page) => {
  const bodies = bodiesOf(page);
  await form(page).getByLabel("Preset").selectOption("code");
  await form(page).getByLabel("Dialect").selectOption("llama.cpp");
  const sets = form(page).getByRole("list", { name: "sets" });
  const listed = async () => (await sets.getByRole("listitem").allInnerTexts()).map((one) => one.replace(/\s+/g, " "));
  await comesTo(listed, ["temperature 0.3", "top_k 40", "top_p 0.9", "min_p 0.05"]);
  await page.waitForFunction(() => document.querySelector('[data-setting="top_k"] input')?.getAttribute("placeholder") === "40 (dialect)");
  await comesTo(() => box(page, "temperature").getAttribute("placeholder"), "0.3 (preset)");
  await box(page, "top_p").fill("0.5");
  await sets.getByText("yours: 0.5").waitFor();
  await until(bodies, (body) => body.top_p === 0.5 && body.preset === "code" && body.dialect === "llama.cpp", "all are sent");
});

async function withThreeStages(page) {
  await box(page, "temperature").fill("0.8");
  await box(page, "top_k").fill("9");
  await box(page, "top_p").fill("0.9");
  await form(page).getByText("Order of the chain").click();
  await page.waitForFunction(() => document.querySelectorAll(".chain-stage").length === 3);
}

const stages = (page) => form(page).locator(".chain-stage").evaluateAll((rows) => rows.map((row) => row.getAttribute("data-chain")));

pageTest("the chain's order is moved by keyboard, and reset", server, async (page) => {
  const bodies = bodiesOf(page);
  await withThreeStages(page);
  await comesTo(() => stages(page), ["temperature", "top_k", "top_p"]);
  const down = form(page).getByRole("button", { name: "Move temperature down" });
  await down.focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await until(bodies, (body) => body.processors?.join() === "top_k,top_p,temperature", "moved down twice");
  await comesTo(() => stages(page), ["top_k", "top_p", "temperature"]);
  await comesTo(() => down.evaluate((one) => one === document.activeElement), true, "the focus goes with the stage");
  await page.keyboard.press("Enter"); // it is the last
  await comesTo(() => stages(page), ["top_k", "top_p", "temperature"]);
  await box(page, "min_p").fill("0.1");
  await until(bodies, (body) => body.processors?.join() === "top_k,top_p,min_p,temperature", "a new stage has a place");
  await form(page).getByRole("button", { name: "As transformers has it" }).click();
  await until(bodies, (body) => !("processors" in body), "the dialect's order again");
  await comesTo(() => stages(page), ["temperature", "top_k", "top_p", "min_p"]);
});

pageTest("the chain's order is dragged", server, async (page) => {
  const bodies = bodiesOf(page);
  await withThreeStages(page);
  const [grip, target] = [form(page).locator('[data-chain="top_p"] .chain-grip'), form(page).locator('[data-chain="temperature"]')];
  await grip.scrollIntoViewIfNeeded();
  const [from, to] = [await grip.boundingBox(), await target.boundingBox()];
  await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
  await page.mouse.down();
  await page.mouse.move(to.x + 40, to.y + to.height / 2, { steps: 8 });
  await page.mouse.up();
  await until(bodies, (body) => body.processors?.join() === "top_p,temperature,top_k", "dragged to the top");
  await comesTo(() => stages(page), ["top_p", "temperature", "top_k"]);
});

pageTest("a token is biased, banned, and let go", server, async (page) => {
  const bodies = bodiesOf(page);
  await write(page, "the");
  await form(page).getByText("Bias or ban tokens").click();
  await box(page, "logit_bias").fill(" cat");
  await box(page, "logit_bias").press("Enter");
  const { tokens } = await ask("tokenize", { prompt: " cat", add_special_tokens: false });
  const [id] = tokens;
  await until(bodies, (body) => body.logit_bias?.[id] === 2, "biased by its id");
  await form(page).getByRole("textbox", { name: "Bias of ␣cat" }).fill("-3.5");
  await box(page, "temperature").evaluate((one) => one.dispatchEvent(new Event("input", { bubbles: true }))); // all is drawn anew
  await page.waitForTimeout(400);
  await form(page).getByRole("textbox", { name: "Bias of ␣cat" }).press("Tab");
  await until(bodies, (body) => body.logit_bias?.[id] === -3.5, "changed");
  await form(page).getByRole("checkbox", { name: "Ban ␣cat" }).check();
  await until(bodies, (body) => body.logit_bias?.[id] === "-inf", "banned");
  await form(page).getByRole("button", { name: "Remove ␣cat" }).click();
  await until(bodies, (body) => !("logit_bias" in body), "let go");
});

pageTest("biases that came as pairs are shown in a token's panel, and changed there", server, async (page) => {
  const [first] = (await explained(server, "the cat", { max_new_tokens: 1 })).logprobs;
  await generateWith(page, "the cat", { max_new_tokens: 2, logit_bias: [[first.token_id, 2], [1, "-inf"]] });
  await textRegion(page).getByRole("button").first().click();
  const bias = tokenRegion(page).locator(".bias").first();
  await bias.getByText("+2").click();
  await bias.getByRole("button", { name: "Likelier" }).click();
  await bias.getByText("+3").waitFor();
  await box(page, "temperature").waitFor();
  await form(page).getByRole("checkbox", { name: /^Ban/, checked: true }).waitFor();
});

pageTest("settings are found by what is said of them", server, async (page) => {
  await box(page, "temperature").waitFor();
  await form(page).getByRole("searchbox", { name: "Find a setting" }).fill("nucleus likeliest");
  await form(page).getByText("No setting says that.").waitFor();
  await form(page).getByRole("searchbox").fill("end the output");
  await box(page, "stop_regex").waitFor();
  await counted(box(page, "typical_p"), 0);
});

pageTest(
  "in Korean, all is said in Korean",
  server,
  async (page) => {
    const korean = page.getByRole("form", { name: "설정" });
    await korean.getByText("로짓을 이 값으로 나눕니다. 0이면 그리디입니다").waitFor();
    for (const group of await korean.locator(".settings-group > summary").all()) await group.click();
    for (const part of [".field-more > summary", ".settings-group-name"]) {
      const said = () => korean.locator(part).allInnerTexts();
      await comesTo(said, (all) => all.length > 3 && all.every((one) => /[가-힣]/.test(one)), part);
    }
    await korean.getByLabel("프리셋").selectOption({ label: "code · 코드 작성" });
    await korean.getByText("권장 온도: 0.2~0.4").waitFor();
    await page.getByLabel("언어").selectOption("en");
    await form(page).getByText("logits are divided by it").waitFor();
  },
  { language: "ko-KR" },
);

pageTest(
  "the form comes once the server has its key",
  locked,
  async (page) => {
    await page.getByRole("textbox", { name: "This server wants a key" }).fill("secret");
    await page.getByRole("button", { name: "Use it" }).click();
    await box(page, "temperature").waitFor();
  },
  { mayFail: true },
);

pageTest(
  "what was set stays while the server is away",
  server,
  async (page, { context }) => {
    await write(page, "the cat");
    await context.setOffline(true);
    await box(page, "top_k").fill("3");
    await page.getByText("The server does not answer").first().waitFor(); // once, wherever it stands
    await context.setOffline(false);
    await box(page, "top_p").fill("0.9");
    await next(page).getByText("Sampling").waitFor();
    await comesTo(() => box(page, "top_k").inputValue(), "3");
  },
  { mayFail: true },
);

pageTest(
  "the form looks right with all of it open",
  server,
  async (page) => {
    await write(page, "the cat");
    await form(page).getByLabel("Preset").selectOption("code");
    await box(page, "top_p").fill("0.5");
    await openAll(page);
    await box(page, "stop").fill("\\nThe end");
    await box(page, "stop").press("Enter");
    await box(page, "logit_bias").fill(" cat");
    await box(page, "logit_bias").press("Enter");
    await box(page, "typical_p").fill("7");
    await field(page, "typical_p").getByText("out of range").waitFor();
    await field(page, "temperature").locator("summary").click();
    await checkLooks(page, "settings");
  },
  { mayFail: true },
);
