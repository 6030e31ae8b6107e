// An empty page: what one does first.
import { checkAccessible, pageTest, toyServer } from "../support/browser.mjs";
import { comesTo, counted } from "../support/eventually.mjs";
import { button, fillPrompt, textRegion, written } from "../support/writing.mjs";

const server = await toyServer({ lines: ["The cat sat on the mat and slept"] });

pageTest("an example is written with one press, and then there is more to do", server, async (page) => {
  await button(page, "The cat sat on the …").waitFor();
  await counted(button(page, "Continue"), 0);
  await button(page, "The cat sat on the …").click();
  await textRegion(page).getByRole("button", { name: "m", exact: true }).first().waitFor();
  await written(page);
  await comesTo(() => page.getByRole("textbox", { name: "Prompt", exact: true }).inputValue(), "The cat sat on the");
  for (const name of ["Continue", "New seed", "Edit"]) await button(page, name).waitFor();
  await counted(page.locator(".beginning"), 0);
});

pageTest("the examples go once a prompt is begun, and come back without one", server, async (page) => {
  const example = button(page, "Once upon a time …");
  await fillPrompt(page, "x");
  await example.waitFor({ state: "detached" });
  await fillPrompt(page, "");
  await example.waitFor();
});

pageTest("the lessons are one press away", server, async (page) => {
  await button(page, "Ten short lessons").click();
  await page.getByRole("tab", { name: "Learn", selected: true }).waitFor();
});

pageTest(
  "in Korean it is the same",
  server,
  async (page) => {
    await button(page, "짧은 수업 열 개").waitFor();
    await button(page, "The cat sat on the …").waitFor();
    await checkAccessible(page);
  },
  { language: "ko-KR", width: 360 },
);
