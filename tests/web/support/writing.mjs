// What tests of the view "Write" share.
import { generate } from "./browser.mjs";
import { comesTo } from "./eventually.mjs";

export { written } from "./browser.mjs";

/** Settings of the next request, past the form. */
export async function useSettings(page, settings) {
  await page.evaluate(async (wanted) => {
    const store = await import(new URL("state/store.js", document.querySelector("script[src]").src).href);
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

/** The text as it stands there, without the token that ended it. */
export const textOf = (page) =>
  page.locator(".flow").evaluate((flow) => {
    const tokens = [...flow.querySelectorAll(".token:not(.end)")];
    return tokens.map((one) => one.textContent).join("");
  });

/** A button by its whole name. */
export const button = (page, name) => page.getByRole("button", { name, exact: true });

/** What the page has: parts of its state that can be compared. */
export function stateOf(page) {
  return page.evaluate(async () => {
    const from = (path) => import(new URL(path, document.querySelector("script[src]").src).href);
    const { tree, tokens, shelf, current } = await from("state/store.js");
    return {
      prompt: tree.value.prompt,
      branches: tree.value.branches,
      current: current.value,
      tokens: tokens.value,
      shelf: shelf.value,
      text: new TextDecoder().decode(Uint8Array.from(tokens.value.flatMap((token) => token.bytes))),
    };
  });
}

/** Resolved once the browser keeps all that is on the page. */
export const saved = (page) => comesTo(() => page.evaluate(keptAndShown), ([kept, shown]) => kept === shown, "what is kept");

/** What the database has of the session, and what the page has, each as JSON. Runs in the page. */
async function keptAndShown() {
  const from = (path) => import(new URL(path, document.querySelector("script[src]").src).href);
  const { draft, settings, shelf, tree } = await from("state/store.js");
  const { openDatabase, sessionsIn, treesOf } = await from("share/session/database.js");
  const textsOf = (trees) =>
    trees.map(({ id, current, branches }) => [id, current, branches.map((one) => [one.id, one.name, one.note, one.tokens.map((token) => token.id)])]);
  const database = await openDatabase();
  const session = (await sessionsIn(database)).find(({ id }) => id === sessionStorage.getItem("foretell-session"));
  const kept = session && [textsOf(await treesOf(database, session)), session.draft, session.settings];
  database.close();
  return [kept ?? null, [textsOf([tree.value, ...shelf.value]), draft.value, settings.value]].map((one) => JSON.stringify(one));
}

/** Resolved once the page shows what was kept of it, if anything was. */
export async function restored(page) {
  await page.waitForFunction(async () => {
    const { isKept } = await import(new URL("share/session/session.js", document.querySelector("script[src]").src).href);
    return isKept.value !== null;
  });
}

/** Ids of the tokens that are shown. */
export const idsOf = async (page) => (await stateOf(page)).tokens.map((token) => token.id);

/** Write another prompt into the box. */
export const fillPrompt = (page, text) => page.getByRole("textbox", { name: "Prompt", exact: true }).fill(text);

/** The next body that the page sends to a path. */
export async function nextBody(page, path) {
  const request = await page.waitForRequest((one) => one.url().endsWith(path));
  return request.postDataJSON();
}
