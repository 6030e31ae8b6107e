// Texts of all kinds: characters of several tokens, right to left, markup.
import assert from "node:assert/strict";
import { pageTest, toyServer } from "../support/browser.mjs";
import { comesTo, counted } from "../support/eventually.mjs";
import { generateWith, textOf, textRegion, tokenRegion } from "../support/writing.mjs";

const TEXTS = {
  korean: "the고양이가 앉았다.",
  emoji: "at🙂👩‍👩‍👧!",
  hebrew: "he חתול on the mat\nthe cat",
  markup: "ma<b>bold</b><img src=x onerror='globalThis.hacked=1'><script>globalThis.hacked=1</script>&amp;",
  lines: "li\n\nthe  cat\tsat\n",
  override: "ov\u202ethe cat\nthe cat",
};
const server = await toyServer({ lines: Object.values(TEXTS) });
const whole = { max_new_tokens: 200 };

pageTest("the bytes of a Korean character share a box", server, async (page) => {
  await generateWith(page, "the", whole);
  await comesTo(() => textOf(page), "고양이가 앉았다.");
  const box = textRegion(page).getByRole("button", { name: "양", exact: true });
  await box.click();
  assert.equal(await box.getAttribute("data-index"), "3");
  const panel = tokenRegion(page);
  await panel.getByText("part 1 of 3 of 양 (EC)").waitFor();
  await page.keyboard.press("ArrowRight");
  await panel.getByText("part 2 of 3 of 양 (96)").waitFor();
  await comesTo(() => box.getAttribute("aria-current"), "true");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await panel.getByText("part 1 of 3 of 이").waitFor();
});

pageTest("the bytes of an emoji share a box", server, async (page) => {
  await generateWith(page, "at", whole);
  await comesTo(() => textOf(page), "🙂👩‍👩‍👧!");
  const box = textRegion(page).getByRole("button", { name: "🙂", exact: true });
  await box.click();
  await tokenRegion(page).getByText("part 1 of 4 of 🙂 (F0)").waitFor();
});

pageTest("each line has the direction of its language", server, async (page) => {
  await generateWith(page, "he", whole);
  const places = await page.locator(".flow .token").evaluateAll((tokens) =>
    tokens.map((one) => ({ text: one.textContent, left: one.getBoundingClientRect().left, top: one.getBoundingClientRect().top })),
  );
  const at = (text, nth = 0) => places.filter((one) => one.text === text)[nth];
  assert(at("ח").left > at("ת").left && at("ת").left > at("ו").left, "Hebrew runs to the left");
  assert(at("ח").left > at("o").left, "a line that begins in Hebrew begins on the right");
  assert(at("o").left < at("the").left, "English in it runs to the right");
  assert(at("the", 1).top > at("the").top);
  assert(at("the", 1).left < at("ח").left, "the next line begins on the left");
});

pageTest("markup is text", server, async (page) => {
  await generateWith(page, "ma", whole);
  await comesTo(() => textOf(page), TEXTS.markup.slice(2));
  await page.locator(".flow [data-index='0']").click();
  await page.getByLabel("As a table").check();
  await page.locator(".token-table tbody tr").first().waitFor();
  await counted(page.locator("#view :is(b:not(.token-stage b, .draw b), img, script)"), 0);
  assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
});

pageTest("lines break where the text does, and line ends can be seen", server, async (page) => {
  await generateWith(page, "li", whole);
  await comesTo(() => textOf(page), TEXTS.lines.slice(2));
  const ends = textRegion(page).getByRole("button", { name: "line break", exact: true });
  await counted(ends, 3);
  const sign = await page.locator(".line-end").first().evaluate((one) => getComputedStyle(one, "::before").content);
  assert.match(sign, /↵/);
});

pageTest("a sign that turns the direction ends with its line", server, async (page) => {
  await generateWith(page, "ov", whole);
  const cats = page.locator(".flow .token", { hasText: "the" });
  const [first, second] = [await cats.nth(0).boundingBox(), await cats.nth(1).boundingBox()];
  const names = page.locator(".flow .token", { hasText: " cat" });
  assert((await names.nth(0).boundingBox()).x < first.x, "turned");
  assert((await names.nth(1).boundingBox()).x > second.x, "as usual");
  await page.locator(".flow [data-index='0']").click();
  await tokenRegion(page).getByText("U+202E").first().waitFor();
});
