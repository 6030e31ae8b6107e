// What `make test-web` installs, and where results go.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Packages, screenshots (shots/), pages of failed tests (failed/). */
export const FOLDER = path.join(ROOT, "build", "web");

const require = createRequire(`${FOLDER}/`);

export const playwright = () => require("playwright-core");

/** The source of axe-core, to be run in a page. */
export const axePath = () => require.resolve("axe-core/axe.min.js");

const BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The browser's program: $CHROMIUM, or one that is found on PATH; null where there is none. */
export function findBrowser() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const places = BROWSERS.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  return places.find((place) => existsSync(place)) ?? null;
}

/** The Python that runs the servers: $PYTHON_OF_TESTS, or the project's own. */
export const python = () => process.env.PYTHON_OF_TESTS ?? path.join(ROOT, ".venv", "bin", "python");
