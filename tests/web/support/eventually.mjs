// A page draws a frame later, and a frame may take long: what is expected of it is waited for.
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { TIMES } from "./slow.mjs";

/** Milliseconds that a test waits for what must come. */
export const PATIENCE = 15_000 * TIMES;

const PAUSE = 20; // milliseconds from one look to the next

/**
 * Wait until what is found is what is wanted; where it does not become so, tell what was found last.
 *
 * What is there already is found at once. So before `nothing is there` is wanted, wait for something
 * that proves that it would be there by now.
 *
 * @template T
 * @param {() => T | Promise<T>} find
 * @param {unknown} wanted a value, a pattern, or a function that tells whether it will do
 * @param {string} [what] it is
 * @returns {Promise<T>} what was found
 */
export async function comesTo(find, wanted, what) {
  const end = performance.now() + PATIENCE;
  for (;;) {
    const found = await find();
    if (isRight(found, wanted)) return found;
    if (performance.now() > end) throw wrong(found, wanted, what);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

/**
 * Wait until so many are there.
 *
 * @param {any} locator
 * @param {number} number
 */
export const counted = (locator, number) => comesTo(() => locator.count(), number, String(locator));

function isRight(found, wanted) {
  if (typeof wanted === "function") return Boolean(wanted(found));
  return wanted instanceof RegExp ? wanted.test(found) : isDeepStrictEqual(found, wanted);
}

function wrong(found, wanted, what) {
  const message = `${what ?? "what is found"} does not become what is wanted`;
  const expected = typeof wanted === "function" ? String(wanted) : wanted;
  return new assert.AssertionError({ message: `${message}: ${JSON.stringify(found)?.slice(0, 1000)}`, actual: found, expected, operator: "comesTo" });
}
