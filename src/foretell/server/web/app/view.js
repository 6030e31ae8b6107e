/** Which tab is open, and how the page looks. */

import { effect, signal } from "@preact/signals";
import { language } from "./words.js";

/** @typedef {"write" | "compare" | "beams" | "learn"} Tab */

/** @type {readonly Tab[]} */
export const TABS = ["write", "compare", "beams", "learn"];

/** @typedef {"system" | "light" | "dark"} Theme */

/** @type {readonly Theme[]} */
export const THEMES = ["system", "light", "dark"];

/** @type {import("@preact/signals").Signal<Tab>} */
export const tab = signal("write");

/** @type {import("@preact/signals").Signal<Theme>} */
export const theme = signal("system");

/** Keeps the page's own attributes as the reader wants them. */
export function followView() {
  effect(() => {
    const root = document.documentElement;
    root.lang = language.value;
    if (theme.value === "system") delete root.dataset.theme;
    else root.dataset.theme = theme.value;
  });
}
