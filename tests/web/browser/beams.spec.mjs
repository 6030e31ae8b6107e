// The view "Beams": the tree of a search.
import assert from "node:assert/strict";
import { checkLooks, openTab, pageTest, toyServer } from "../support/browser.mjs";
import { comesTo, counted } from "../support/eventually.mjs";
import { showSum } from "../../../src/foretell/server/web/beams/numbers.js";

const lines = ["the cat sat on the mat"];
const fast = await toyServer({ lines });
const slow = await toyServer({ lines, rate: 6 });

const button = (page, name) => page.getByRole("button", { name, exact: true });
const items = (page) => page.getByRole("tree", { name: "Beam tree" }).getByRole("treeitem");
const slider = (page) => page.getByRole("slider", { name: "Step" });
const node = (page, id) => page.locator(`[data-place="${id}"]`);

async function begin(page, settings = {}, prompt = "the cat") {
  await openTab(page, "Beams");
  await page.getByRole("textbox", { name: "Prompt" }).fill(prompt);
  for (const [name, value] of Object.entries(settings)) await page.getByRole("spinbutton", { name }).fill(`${value}`);
  await button(page, "Generate").click();
}

async function search(page, settings) {
  await begin(page, settings);
  await drawn(page);
}

/** Wait until the search has ended, and its tree is there. */
async function drawn(page) {
  await page.locator("[data-ended=true]").waitFor();
  await page.locator(".tree[aria-busy=false]").waitFor();
}

/** What the API answers the same request with. */
function asked(server, settings) {
  return fetch(`${server.url.replace(/\/$/, "")}/v1/foretell/beams`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ prompt: "the cat", ...settings }),
  }).then((answer) => answer.json());
}

pageTest("the tree grows step by step, and is stopped", slow, async (page) => {
  await begin(page, { max_new_tokens: 60 }, "no text of the model's");
  const numSteps = async () => Number(await slider(page).getAttribute("max"));
  await node(page, "2.0.0").waitFor();
  assert(await button(page, "Stop").isEnabled());
  const early = await numSteps();
  await node(page, `${early + 1}.0.0`).waitFor();
  await comesTo(numSteps, (number) => number > early);
  await button(page, "Stop").click();
  await page.locator("button.main:not(:disabled)").waitFor();
  const ended = await numSteps();
  await page.waitForTimeout(500);
  assert.equal(await numSteps(), ended);
});

pageTest("each candidate has the sum, the fate and the reason that the API tells", fast, async (page) => {
  const settings = { num_beams: 3, max_new_tokens: 5, length_penalty: 2 };
  await search(page, settings);
  const { steps } = await asked(fast, settings);
  for (const [number, step] of steps.entries()) {
    for (const [beam, { candidates }] of step.beams.entries()) {
      for (const [index, one] of candidates.entries()) {
        const found = node(page, `${number}.${beam}.${index}`);
        await comesTo(() => found.getAttribute("data-fate"), one.fate);
        assert.equal(await found.locator(".tree-sum").textContent(), showSum(one.total));
        const name = await found.getAttribute("aria-label");
        assert(name.includes(showSum(one.total)) && name.endsWith(`. ${one.verdict}`), name);
      }
    }
  }
  const number = steps.reduce((sum, { beams }) => sum + beams.reduce((all, beam) => all + beam.candidates.length, 0), 1);
  await counted(items(page), number);
});

pageTest("pointing at a candidate tells why", fast, async (page) => {
  await search(page);
  const { steps } = await asked(fast, { num_beams: 3, max_new_tokens: 6 });
  const panel = page.getByRole("region", { name: "Candidate" });
  for (const index of [0, steps[0].beams[0].candidates.length - 1]) {
    const one = steps[0].beams[0].candidates[index];
    await node(page, `0.0.${index}`).hover();
    await panel.getByText(one.verdict).waitFor();
    await comesTo(() => panel.textContent(), new RegExp(one.fate));
  }
});

pageTest("finished texts have the scores that the API tells", fast, async (page) => {
  const settings = { num_beams: 4, max_new_tokens: 4, length_penalty: 0.5 };
  await search(page, settings);
  const { hypotheses } = await asked(fast, settings);
  const listed = page.getByRole("region", { name: "Finished texts" }).getByRole("listitem");
  await counted(listed, hypotheses.length);
  for (const [number, { score, total, token_ids }] of hypotheses.entries()) {
    const told = (await listed.nth(number).locator(".hypothesis-score").textContent()).replace(/\s+/g, "");
    assert.equal(told, `${showSum(total)}/${token_ids.length}0.5=${showSum(score)}`);
  }
  await page.getByText("A length penalty between 0 and 1").waitFor();
});

pageTest("the slider shows the tree as it was", fast, async (page) => {
  await search(page);
  const all = await items(page).count();
  await slider(page).fill("1");
  await page.getByText("step 1 of 6").waitFor();
  await counted(node(page, "1.0.0"), 0);
  await comesTo(() => items(page).count(), (number) => number < all);
  await button(page, "Next step").click();
  await node(page, "1.0.0").waitFor();
  await slider(page).fill("0");
  await counted(items(page), 1);
  await button(page, "Play").click();
  await node(page, "5.0.0").waitFor();
  await button(page, "Play").waitFor();
  await drawn(page);
  await counted(items(page), all);
}, { reducedMotion: true });

pageTest("by keyboard alone: a search, its tree, a reason", fast, async (page) => {
  await page.getByRole("tab", { name: "Write" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.getByRole("form", { name: "Settings of the search" }).waitFor();
  await reach(page, (one) => one.tagName === "TEXTAREA");
  await page.keyboard.type("the cat");
  await reach(page, (one) => one.textContent.trim() === "Generate");
  await page.keyboard.press("Enter");
  await drawn(page);
  await reach(page, (one) => one.getAttribute("role") === "treeitem");
  const focused = () => page.evaluate(() => document.activeElement.getAttribute("data-place"));
  await comesTo(focused, "prompt");
  await page.keyboard.press("ArrowRight");
  const first = await comesTo(focused, /^0\.0\./);
  await page.keyboard.press("ArrowDown");
  await comesTo(focused, (now) => now !== first);
  const { steps } = await asked(fast, { num_beams: 3, max_new_tokens: 6 });
  const one = steps[0].beams[0].candidates[Number((await focused()).split(".")[2])];
  await page.getByRole("region", { name: "Candidate" }).getByText(one.verdict).waitFor();
  const size = () => page.getByRole("tree").evaluate((tree) => tree.clientWidth);
  const before = await size();
  await page.keyboard.press("-");
  await comesTo(size, (now) => now < before);
  await page.keyboard.press("ArrowLeft");
  await comesTo(focused, "prompt");
});

/** Press Tab until the focus is where it is wanted. */
async function reach(page, isThere) {
  for (let number = 0; number < 60; number += 1) {
    if (await page.evaluate(`(${isThere})(document.activeElement)`)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail("the tab key does not lead there");
}

/** How much of what is drawn is in the tree's frame: the places that one can see there. */
const seen = (page) =>
  page.locator(".tree-frame").evaluate((frame) => {
    const room = frame.getBoundingClientRect();
    const isSeen = ({ left, right, top, bottom }) => left >= room.left && right <= room.right && top >= room.top && bottom <= room.bottom;
    const nodes = [...frame.querySelectorAll(".tree-node")];
    return nodes.filter((one) => isSeen(one.getBoundingClientRect())).map((one) => one.getAttribute("data-place"));
  });

const hasStep = (places, step) => places.some((one) => one.startsWith(`${step}.`));

pageTest("of a large tree what is in sight is drawn, and the step that is shown is in sight", fast, async (page) => {
  await search(page, { num_beams: 8, max_new_tokens: 40 });
  await page.getByRole("checkbox", { name: "Show what fell" }).check();
  await drawn(page);
  assert((await items(page).count()) < 400);
  for (const step of [40, 1, 20, 39]) {
    await slider(page).fill(`${step}`);
    await node(page, `${step - 1}.0.0`).waitFor();
    await comesTo(() => seen(page), (places) => hasStep(places, step - 1) && places.length > 5, `step ${step}`);
  }
  await page.locator(".tree-frame").evaluate((frame) => (frame.scrollLeft = 0));
  await node(page, "prompt").waitFor();
  await node(page, "0.0.0").waitFor();
});

pageTest("the keyboard walks through a large tree", fast, async (page) => {
  await search(page, { num_beams: 8, max_new_tokens: 40 });
  await page.locator('.tree-node[data-place^="39."]').first().focus();
  const focused = () => page.evaluate(() => document.activeElement.getAttribute("data-place"));
  for (let step = 38; step >= 0; step -= 1) {
    await page.keyboard.press("ArrowLeft");
    const place = await comesTo(focused, (now) => now?.startsWith(`${step}.`));
    await comesTo(() => seen(page), (places) => places.includes(place), `step ${step} is seen`);
  }
  await page.keyboard.press("Home");
  await comesTo(focused, "prompt");
});

pageTest("a step is told as a table, too", fast, async (page) => {
  await search(page);
  await page.getByText("Step 6 as a table").click();
  const { steps } = await asked(fast, { num_beams: 3, max_new_tokens: 6 });
  const candidates = steps[5].beams.flatMap((beam) => beam.candidates);
  const rows = page.getByRole("row");
  await counted(rows, candidates.length + 1);
  for (const [number, one] of candidates.entries()) {
    const told = await rows.nth(number + 1).textContent();
    assert(told.includes(one.verdict) && told.includes(showSum(one.total)), told);
  }
});

pageTest("what fell is hidden where it is not wanted", fast, async (page) => {
  await search(page);
  const [fell, kept] = ["fell", "kept"].map((fate) => page.locator(`.tree-node[data-fate=${fate}]`));
  await fell.first().waitFor();
  await page.getByRole("checkbox", { name: "Show what fell" }).uncheck();
  await counted(fell, 0);
  await comesTo(() => kept.count(), (number) => number > 1);
});

pageTest("a finished text becomes a branch in Write", fast, async (page) => {
  await search(page, { max_new_tokens: 4 });
  const written = await page.locator(".hypothesis-text").first().textContent();
  await button(page, "Take into Write").first().click();
  const text = page.getByRole("region", { name: "Text", exact: true });
  await text.waitFor();
  await comesTo(() => text.textContent(), (shown) => shown.includes(written.trim()));
});

pageTest("what is refused is told in the server's words", fast, async (page) => {
  await begin(page, { num_beams: 1 });
  await page.getByRole("alert").getByText("num_beams=1").waitFor();
}, { mayFail: true });

pageTest("a tree looks right", fast, async (page) => {
  await search(page, { num_beams: 4 });
  await items(page).nth(4).focus();
  await checkLooks(page, "beams-found");
});

pageTest("it speaks Korean", fast, async (page) => {
  await page.getByRole("tab", { name: "빔" }).click();
  await page.getByRole("textbox", { name: "프롬프트" }).fill("the cat");
  await page.getByRole("button", { name: "생성", exact: true }).click();
  await page.locator("[data-ended=true]").waitFor();
  const name = await node(page, "0.0.0").getAttribute("aria-label");
  assert.match(name, /−[\d.]+, 1위\. 빔 0\(으\)로 유지/);
  await checkLooks(page, "beams-korean");
}, { language: "ko-KR" });
