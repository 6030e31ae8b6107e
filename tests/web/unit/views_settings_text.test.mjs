// views/settings_text.js: settings as JSON, and in a line.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readSettings, settingsLine, withSetting } from "../../../src/foretell/server/web/views/settings_text.js";

test("settings are an object of JSON", () => {
  assert.deepEqual(readSettings('{"top_k": 5}'), { found: { top_k: 5 }, message: "" });
  assert.deepEqual(readSettings("  "), { found: {}, message: "" });
  for (const text of ["[]", "3", "null", "{", "top_k: 5"]) {
    const { found, message } = readSettings(text);
    assert.equal(found, null);
    assert.notEqual(message, "");
  }
});

test("a setting is set, and taken back", () => {
  assert.deepEqual(withSetting({ top_k: 5 }, "top_p", 0.9), { top_k: 5, top_p: 0.9 });
  assert.deepEqual(withSetting({ top_k: 5 }, "top_k", undefined), {});
});

test("a line names each", () => {
  assert.equal(settingsLine({ temperature: 0.5, do_sample: true, stop: ["a"] }), 'temperature 0.5 · do_sample · stop ["a"]');
});

test("a line has the beginnings of long values", () => {
  assert.equal(settingsLine({ grammar: `root ::= "a"\n${"b".repeat(90)}` }), `grammar root ::= "a" ${"b".repeat(26)}…`);
});
