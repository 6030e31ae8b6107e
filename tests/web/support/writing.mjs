// What tests of the view "Write" share.
import { generate } from "./browser.mjs";

/** Settings of the next request, past the form. */
export async function useSettings(page, settings) {
  await page.evaluate(async (wanted) => {
    const store = await import(new URL("playground/state/store.js", document.baseURI).href);
    store.settings.value = wanted;
  }, settings);
}

/** Generate with these settings. */
export async function generateWith(page, prompt, settings) {
  await useSettings(page, settings);
  await generate(page, prompt);
}

/** What the server says of the same request. */
export async function explained(server, prompt, settings) {
  const body = JSON.stringify({ prompt, ...settings, logprobs: 10 });
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(`${server.url}v1/foretell/explain`, { method: "POST", headers, body });
  return response.json();
}

export const textRegion = (page) => page.getByRole("region", { name: "Text", exact: true });
export const tokenRegion = (page) => page.getByRole("region", { name: "Token", exact: true });
export const alternatives = (page) => page.getByRole("list", { name: "Alternatives", exact: true });

/** The text as it stands there. */
export const textOf = (page) => page.locator(".flow").evaluate((flow) => flow.textContent);
