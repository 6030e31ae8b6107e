// Every folder's texts.js: the same names in English and Korean, and the same values to fill in.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { WEB } from "../support/resolve.mjs";

const files = readdirSync(fileURLToPath(WEB), { recursive: true })
  .filter((name) => /(^|[\\/])texts\.js$/.test(name) && !name.startsWith("vendor"))
  .map((name) => name.replaceAll("\\", "/"));
const HANGUL = /\p{Script=Hangul}/u;
const valuesIn = (text) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();

test("there are some", () => assert(files.length >= 3));

for (const name of files) {
  test(`${name} says all in both languages`, async () => {
    const { texts } = await import(new URL(name, WEB));
    assert.deepEqual(Object.keys(texts).sort(), ["en", "ko"]);
    assert.deepEqual(Object.keys(texts.ko), Object.keys(texts.en), "in the same order");
    for (const [key, english] of Object.entries(texts.en)) {
      const korean = texts.ko[key];
      assert(english.trim() && korean.trim(), key);
      assert.deepEqual(valuesIn(korean), valuesIn(english), key);
      assert(!HANGUL.test(english), key);
    }
    const all = Object.values(texts.ko).join("");
    assert(HANGUL.test(all) || all.length < 20);
  });
}
