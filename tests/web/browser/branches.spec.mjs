// The tree "Branches", siblings, and two branches side by side.
import assert from "node:assert/strict";
import { boxesOf } from "../../../src/foretell/server/web/text/token.js";
import { checkLooks, pageTest, toyServer } from "../support/browser.mjs";
import { comesTo, counted } from "../support/eventually.mjs";
import { button, generateWith, stateOf, written } from "../support/writing.mjs";

const server = await toyServer({ lines: [] });
const SETTINGS = { temperature: 1, max_new_tokens: 12 };
const treeOf = (page) => page.getByRole("tree", { name: "Branches" });
const items = (page) => treeOf(page).getByRole("treeitem");

/** A text, and a fork at a token. */
async function forked(page, position) {
  await generateWith(page, "the dog", SETTINGS);
  await page.evaluate(async (place) => {
    const from = (path) => import(new URL(path, document.querySelector("script[src]").src).href);
    const { tree, tokens, settings } = await from("state/store.js");
    const { withFork } = await from("state/tree.js");
    const { chosenToken } = await from("text/token.js");
    const { goOn } = await from("state/generation.js");
    const { step } = tokens.value[place];
    tree.value = withFork(tree.value, tree.value.current, place, [chosenToken(step, step.runners_up[0])], settings.value);
    await goOn();
  }, position);
  await written(page);
}

pageTest("a fork is told with where it left and with what", server, async (page) => {
  await forked(page, 4);
  await counted(items(page), 2);
  const { current } = await stateOf(page);
  assert.equal(current.start, 4);
  await comesTo(() => items(page).nth(1).textContent(), /leaves at token 5 with/);
  await comesTo(() => items(page).nth(1).getAttribute("aria-current"), "true");
  await comesTo(() => items(page).nth(1).getAttribute("aria-level"), "2");
  await checkLooks(page, "branches");
});

pageTest("a fork draws the same numbers as the branch it left", server, async (page) => {
  await forked(page, 4);
  const { branches } = await stateOf(page);
  assert.equal(branches[1].settings.seed, branches[0].settings.seed);
});

pageTest("the tree by keys: move, show, fold, rename, delete, undo", server, async (page) => {
  await forked(page, 4);
  await items(page).nth(1).focus();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await comesTo(() => items(page).first().getAttribute("aria-selected"), "true");
  await page.keyboard.press("ArrowLeft");
  await counted(items(page), 1);
  await comesTo(() => items(page).first().getAttribute("aria-expanded"), "false");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("End");
  await page.keyboard.press("F2");
  await page.getByRole("textbox", { name: "Name of the branch" }).fill("다른 길");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement?.getAttribute("role") === "treeitem");
  await comesTo(() => items(page).nth(1).textContent(), /^다른 길/);
  await page.keyboard.press("Delete");
  await page.getByText("Deleted “다른 길”.").waitFor();
  await counted(items(page), 1);
  await button(page, "Undo").click();
  await comesTo(() => items(page).nth(1).textContent(), /^다른 길/);
});

pageTest("the root cannot be deleted; a note stands below the name", server, async (page) => {
  await generateWith(page, "the dog", SETTINGS);
  await comesTo(() => button(page, "Delete").isDisabled(), true);
  await button(page, "Note").click();
  await page.getByRole("textbox", { name: "Note on the branch" }).fill("<b>warm</b>");
  await comesTo(() => items(page).first().textContent(), /<b>warm<\/b>$/);
});

pageTest("a branch that is deleted while it is written ends its request", server, async (page) => {
  await forked(page, 4);
  await page.evaluate(async () => {
    const from = (path) => import(new URL(path, document.querySelector("script[src]").src).href);
    const { settings, tree } = await from("state/store.js");
    const { remove } = await from("write/branches/changes.js");
    const { goOn } = await from("state/generation.js");
    settings.value = { ...settings.value, max_new_tokens: 2000 };
    const going = goOn();
    setTimeout(() => remove(tree.value.current), 100);
    await going;
  });
  assert.equal((await stateOf(page)).branches.length, 1);
  await comesTo(() => button(page, "Stop").isDisabled(), true);
});

pageTest("siblings are shown in turn", server, async (page) => {
  await forked(page, 4);
  const { branches } = await stateOf(page);
  const turn = (direction) =>
    page.evaluate(async (by) => {
      const { showSibling } = await import(new URL("write/branches/siblings.js", document.querySelector("script[src]").src).href);
      return showSibling(by);
    }, direction);
  for (const [direction, shown] of [[1, 0], [-1, 1], [-1, 0]]) {
    assert(await turn(direction));
    assert.equal((await stateOf(page)).current.id, branches[shown].id);
  }
});

pageTest("side by side, the first difference is marked", server, async (page) => {
  await forked(page, 4);
  await page.getByText("Side by side", { exact: true }).click();
  await page.getByText("They first differ at token 5.").waitFor();
  const { branches, tokens } = await stateOf(page);
  const marks = page.locator(".beside mark");
  await counted(marks, 2);
  const boxAt4 = (all) => boxesOf(all).find((box) => box.start <= 4 && 4 < box.start + box.tokens.length).text;
  const shown = [tokens, branches[0].tokens].map(boxAt4);
  for (const [place, text] of (await marks.allTextContents()).entries()) {
    assert(text.startsWith("first difference: "));
    if (shown[place].trim() !== "") assert.equal(text.slice(18), shown[place]);
  }
  await checkLooks(page, "beside");
});
