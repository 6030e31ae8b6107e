// The page as it opens: its tabs, its languages, its looks.
import { checkLooks, generate, openTab, pageTest, toyServer } from "../support/browser.mjs";

const server = await toyServer({ lines: ["the cat sat on the mat"] });

pageTest("a prompt is gone on with", server, async (page) => {
  await generate(page, "the cat");
  await page.getByRole("region", { name: "Text", exact: true }).locator(".token").first().waitFor();
});

for (const tab of ["Write", "Compare", "Beams", "Learn"]) {
  pageTest(`${tab} looks right`, server, async (page) => {
    await openTab(page, tab);
    await page.locator("main .loading").waitFor({ state: "detached" });
    await checkLooks(page, tab.toLowerCase());
  });
}
