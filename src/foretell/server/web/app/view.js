/** Which tab is open, and how the page looks. The address tells the tab; the browser keeps the looks. */

import { effect, signal } from "@preact/signals";
import { recall, remember } from "../state/kept.js";
import { texts } from "./texts.js";
import { language } from "./words.js";

/** @typedef {"write" | "compare" | "beams" | "learn"} Tab */

/** @type {readonly Tab[]} */
export const TABS = ["write", "compare", "beams", "learn"];

/** @typedef {"system" | "light" | "dark"} Theme */

/** @type {readonly Theme[]} */
export const THEMES = ["system", "light", "dark"];

/** @type {import("@preact/signals").Signal<Tab>} */
export const tab = signal(tabOf(globalThis.location?.search ?? ""));

/** @type {import("@preact/signals").Signal<Theme>} */
export const theme = signal(THEMES.find((one) => one === recall("theme")) ?? "system");

/**
 * The tab that an address names: `?tab=learn`.
 *
 * @param {string} search the address from its question mark on
 * @returns {Tab}
 */
export function tabOf(search) {
  const named = new URLSearchParams(search).get("tab");
  return TABS.find((one) => one === named) ?? "write";
}

/** Keeps the page's own attributes and its address as the reader wants them; returns what ends that. */
export function followView() {
  const ends = [effect(showLanguage), effect(showTheme), effect(showTab)];
  const back = () => (tab.value = tabOf(location.search));
  addEventListener("popstate", back);
  return () => {
    for (const end of ends) end();
    removeEventListener("popstate", back);
  };
}

function showLanguage() {
  document.documentElement.lang = language.value;
  remember("language", language.value);
}

function showTheme() {
  const { dataset } = document.documentElement;
  if (theme.value === "system") delete dataset.theme;
  else dataset.theme = theme.value;
  remember("theme", theme.value === "system" ? null : theme.value);
}

function showTab() {
  document.title = tab.value === "write" ? "foretell" : `${texts[language.value][tab.value]} · foretell`;
  if (tabOf(location.search) === tab.value) return;
  const address = new URL(location.href);
  if (tab.value === "write") address.searchParams.delete("tab");
  else address.searchParams.set("tab", tab.value);
  history.pushState(history.state, "", address);
}
