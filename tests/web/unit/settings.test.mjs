// What the form of the settings is made of: values, sliders, the chain's order, biases, searches.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setBias } from "../../../src/foretell/server/web/settings/bias.js";
import { dialectOf, filledIn, moved, orderOf, stagesOn, withPlaces } from "../../../src/foretell/server/web/settings/chain.js";
import { setSetting } from "../../../src/foretell/server/web/settings/change.js";
import { guide as guideSignal } from "../../../src/foretell/server/web/settings/guide.js";
import { CLAUSES, FORMS, clausesInKorean } from "../../../src/foretell/server/web/settings/korean.js";
import { POSITIONS, keyStep, legalBounds, positionOf, readNumber, spanOf, valueAt } from "../../../src/foretell/server/web/settings/numbers.js";
import { FIRST, firstTopics, groupsOf, isFound, namesElsewhere, topicOf, warningsByName } from "../../../src/foretell/server/web/settings/plan.js";
import { EXAMPLES } from "../../../src/foretell/server/web/settings/rare/examples.js";
import { rowsOf, scaleOf } from "../../../src/foretell/server/web/settings/rows.js";
import { texts } from "../../../src/foretell/server/web/settings/texts.js";
import { tokenNames } from "../../../src/foretell/server/web/settings/token_names.js";
import { asList, inLine, readIds, readObject, showObject, showValue, unescaped, withBias, withItem, withSetting, withoutItem } from "../../../src/foretell/server/web/settings/values.js";
import { settings } from "../../../src/foretell/server/web/state/store.js";
import { toyServer } from "../support/servers.mjs";

const server = await toyServer();
const guide = await (await fetch(new URL("v1/foretell/guide", server.url))).json();
const topic = (name) => topicOf(guide, name);
const numbers = guide.settings.filter((one) => ["integer", "number"].includes(one.notation));

describe("a slider", () => {
  test("lies within the legal values, and has all useful ones", () => {
    for (const one of numbers.filter((other) => spanOf(other) !== null)) {
      const { low, high } = spanOf(one);
      assert(low < high, one.name);
      assert(one.low === null || low >= one.low, one.name);
      assert(one.high === null || high <= one.high, one.name);
      if (one.useful) assert(low <= one.useful[0] && one.useful[1] <= high, one.name);
    }
  });

  test("is there for every number of which it is said what is useful", () => {
    for (const one of numbers) assert.equal(spanOf(one) !== null, one.useful !== null || (one.high !== null && one.high <= 1000), one.name);
  });

  test("comes back to a value it gave", () => {
    for (const one of numbers.filter((other) => spanOf(other) !== null)) {
      const span = spanOf(one);
      for (let position = 0; position <= POSITIONS; position += 50) {
        const value = valueAt(span, position);
        assert.equal(valueAt(span, positionOf(span, value)), value, `${one.name} at ${position}`);
        if (one.notation === "integer") assert(Number.isInteger(value), one.name);
      }
      assert(keyStep(span) >= 1);
    }
  });

  test("keeps small numbers apart where they differ by their places", () => {
    const span = spanOf(topic("epsilon_cutoff"));
    assert(span.isLogarithmic);
    assert(positionOf(span, 0.001) - positionOf(span, 0.0001) > 100);
    assert.equal(positionOf(span, 0), 0);
  });
});

test("numbers are read as people write them, and never changed silently", () => {
  assert.equal(readNumber(" 0.5 "), 0.5);
  assert.equal(readNumber("1e-4"), 1e-4);
  for (const text of ["", "a", "1,000", "1.2.3", "Infinity", "18446744073709551615"]) assert.equal(readNumber(text), null, text);
});

test("legal bounds are shown in short", () => {
  assert.equal(legalBounds(topic("temperature")), "≥ 0");
  assert.equal(legalBounds(topic("top_p")), "0 – 1");
  assert.equal(legalBounds(topic("repetition_penalty")), "> 0");
  assert.equal(legalBounds(topic("frequency_penalty")), "");
  assert.equal(legalBounds(topic("seed")), "0 – 2⁶⁴ − 1");
});

describe("values", () => {
  test("what is not set is not there", () => {
    const one = withSetting({}, "top_k", 5);
    assert.deepEqual(one, { top_k: 5 });
    for (const empty of [undefined, null, "", [], {}]) assert.deepEqual(withSetting(one, "top_k", empty), {});
    assert.deepEqual(withSetting({}, "do_sample", false), { do_sample: false });
    assert.deepEqual(withSetting({}, "top_k", 0), { top_k: 0 });
  });

  test("lists have each item once", () => {
    assert.deepEqual(withItem(undefined, "a"), ["a"]);
    assert.deepEqual(withItem(["a", "b"], "a"), ["b", "a"]);
    assert.deepEqual(withItem([[1, 2]], [1, 2]), [[1, 2]]);
    assert.deepEqual(withoutItem(["a", "b"], 0), ["b"]);
    assert.deepEqual(asList("a"), ["a"]);
    assert.deepEqual(asList(undefined), []);
  });

  test("breaks can be typed and seen", () => {
    assert.equal(unescaped("a\\nb\\\\n\\t"), "a\nb\\n\t");
    assert.equal(inLine(" a b\n\t"), "␣a b↵⇥");
  });

  test("ids are told from texts", () => {
    assert.deepEqual(readIds(" 1, 2 33"), [1, 2, 33]);
    for (const text of ["a", "1 a", "", "1.5", "-1"]) assert.equal(readIds(text), null, text);
  });

  test("values are shown in a few words", () => {
    assert.equal(showValue(0.5), "0.5");
    assert.equal(showValue([1, 2]), "1, 2");
    assert.equal(showValue([1, 2, 3, 4]), "4 ×");
    assert.equal(showValue({ 5: 1 }), "1 ×");
    assert.equal(showValue({ 5: "-inf" }), "1 ×");
    assert.equal(showValue({ type: "object" }), '{"type":"object"}');
    assert.equal(showValue('root ::= "a"\n  b'), 'root ::= "a" b');
    assert.equal(showValue("a".repeat(90)), `${"a".repeat(31)}…`);
  });

  test("objects are read as people write them", () => {
    assert.deepEqual(readObject(' {"a": 1} '), { found: { a: 1 }, message: "" });
    assert.deepEqual(readObject(" "), { found: undefined, message: "" });
    for (const text of ["[1]", "null", "3", "{a", '"{}"']) {
      const { found, message } = readObject(text);
      assert.equal(found, null, text);
      assert(message, text);
    }
    assert.equal(showObject({ a: 1 }), '{\n  "a": 1\n}');
    assert.equal(showObject('{"a":1}'), '{\n  "a": 1\n}');
    assert.equal(showObject("{a"), "{a");
    assert.equal(showObject(undefined), "");
  });
});

test("the examples of forms are such as the server can follow", async () => {
  for (const [name, example] of Object.entries(EXAMPLES)) {
    const body = JSON.stringify({ prompt: "a", [name]: example, top: 1 });
    const response = await fetch(new URL("v1/foretell/next", server.url), { method: "POST", headers: { "Content-Type": "application/json" }, body });
    assert.equal(response.status, 200, await response.text());
  }
});

describe("biases", () => {
  test("are by id, and go with their last", () => {
    const one = withBias({}, 7, 1.5);
    assert.deepEqual(one, { logit_bias: { 7: 1.5 } });
    assert.deepEqual(withBias(one, 8, "ban"), { logit_bias: { 7: 1.5, 8: "-inf" } });
    assert.deepEqual(withBias(one, 7, null), {});
    assert.deepEqual(withBias({ logit_bias: [[7, 1], [" a", "-inf"]] }, 7, 2), { logit_bias: { " a": "-inf", 7: 2 } });
  });

  test("are set from elsewhere on the page", () => {
    settings.value = { top_k: 3 };
    setBias(7, " cat", "ban");
    assert.deepEqual(settings.value, { top_k: 3, logit_bias: { 7: "-inf" } });
    assert.equal(tokenNames.value[7], " cat");
    setBias(7, " cat", 2);
    assert.deepEqual(settings.value.logit_bias, { 7: 2 });
    setBias(7, " cat", null);
    assert.deepEqual(settings.value, { top_k: 3 });
  });
});

describe("the chain", () => {
  const [dialect] = guide.dialects;

  test("has the dialect's order, or the reader's", () => {
    const on = ["top_p", "temperature", "top_k"];
    assert.deepEqual(orderOf(dialect.order, undefined, on), ["temperature", "top_k", "top_p"]);
    assert.deepEqual(orderOf(dialect.order, ["top_p", "min_p", "temperature", "top_k"], on), ["top_p", "temperature", "top_k"]);
  });

  test("gives a new stage a place after the one before it", () => {
    assert.deepEqual(orderOf(dialect.order, ["top_p", "temperature"], ["top_p", "temperature", "top_k"]), ["top_p", "temperature", "top_k"]);
    assert.deepEqual(orderOf(dialect.order, ["top_p", "top_k"], ["top_p", "top_k", "temperature"]), ["temperature", "top_p", "top_k"]);
  });

  test("moves", () => {
    assert.deepEqual(moved(["a", "b", "c"], 0, 2), ["b", "c", "a"]);
    assert.deepEqual(moved(["a", "b", "c"], 2, 0), ["c", "a", "b"]);
  });

  test("has what is stated, and what presets and dialects fill in", () => {
    const config = filledIn(guide, { preset: "code", dialect: "llama.cpp", top_p: 0.5 });
    assert.equal(config.temperature, 0.3);
    assert.equal(config.top_p, 0.5);
    assert.equal(config.top_k, 40);
    assert.deepEqual(stagesOn(guide, config).sort(), ["min_p", "temperature", "top_k", "top_p"]);
    assert.equal(dialectOf(guide, {}).name, "transformers");
  });

  test("has no stage that does nothing, which yet keeps its place", () => {
    assert.deepEqual(stagesOn(guide, { temperature: 0.8, top_p: 1, top_k: 0, mirostat: 0, json: false, repetition_penalty: 1 }), ["temperature"]);
    assert.deepEqual(stagesOn(guide, { temperature: 0, top_k: 5, repetition_penalty: 1.2 }), ["repetition_penalty"]);
    const settings = { temperature: 0.8, top_p: 1, processors: ["top_p", "temperature"] };
    assert.deepEqual(withPlaces(guide, settings).processors, ["top_p", "temperature"]);
    assert.deepEqual(withPlaces(guide, { ...settings, temperature: 0 }).processors, ["top_p", "temperature"]);
    assert.deepEqual(withPlaces(guide, { temperature: 0.8, processors: ["top_p", "temperature"] }).processors, ["temperature"]);
  });

  test("of the reader's own is refused by the server in no case", async () => {
    guideSignal.value = guide;
    settings.value = {};
    setSetting("temperature", 0.8);
    setSetting("processors", ["temperature"]);
    const asked = [settings.value];
    for (const [name, value] of [["top_k", 5], ["repetition_penalty", 1.2], ["preset", "chat"], ["dialect", "llama.cpp"], ["top_k", 0], ["temperature", 0], ["top_p", 1], ["json", true], ["temperature", undefined]]) {
      setSetting(name, value);
      asked.push(settings.value);
    }
    assert.deepEqual(withPlaces(guide, { top_k: 3 }), { top_k: 3 });
    for (const body of asked) {
      const response = await fetch(new URL("v1/foretell/settings", server.url), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
      assert.equal(response.status, 200, JSON.stringify(body));
    }
    settings.value = {};
  });
});

describe("the plan of the form", () => {
  test("has each setting that can be set here, once", () => {
    const shown = [...firstTopics(guide), ...groupsOf(guide).flatMap((group) => group.topics)].map((one) => one.name);
    assert.equal(new Set(shown).size, shown.length);
    const apart = ["preset", "dialect", "processors", "logit_bias"];
    const others = guide.settings.filter((one) => one.refused !== null || one.kind === "report").map((one) => one.name);
    const all = [...shown, ...apart, ...others, ...namesElsewhere(guide)];
    assert.deepEqual(all.toSorted(), guide.settings.map((one) => one.name).toSorted());
    assert.deepEqual(shown.slice(0, FIRST.length), FIRST);
  });

  test("is searched by names, other names and what is said", () => {
    const found = (query, said) => guide.settings.filter((one) => isFound(one, query, said)).map((one) => one.name);
    assert(found("nucleus").includes("top_p"));
    assert(found("Top-P").includes("top_p"));
    assert(found("likeliest taken out").includes("xtc_probability"));
    assert.deepEqual(found("no such words"), []);
    assert(isFound(topic("top_k"), "다양", ["다양"]));
  });

  test("tells warnings by their fields", () => {
    const isField = (name) => name === "top_p";
    assert.deepEqual(warningsByName(["top_p=2 is odd", "all is odd", "other=1 is odd"], isField), { top_p: ["top_p=2 is odd"], "": ["all is odd", "other=1 is odd"] });
  });
});

describe("the rows of the next token", () => {
  const tokens = [0.5, 0.2, 0.1, 0.05].map((probability, index) => ({ token_id: index, token: `${index}`, probability, final_probability: 0 }));

  test("are the likeliest, in the model's order", () => {
    assert.deepEqual(rowsOf(tokens, 2).map((one) => one.token_id), [0, 1]);
  });

  test("have what a bias brings up", () => {
    const biased = tokens.with(3, { ...tokens[3], final_probability: 0.9 });
    assert.deepEqual(rowsOf(biased, 2).map((one) => one.token_id), [0, 3]);
    assert.equal(scaleOf(biased), 0.9);
    assert(scaleOf([]) > 0);
  });
});

describe("in Korean", () => {
  const KOREAN = /[가-힣]/;

  test("the form says all that it says in English", () => {
    assert.deepEqual(Object.keys(texts.ko), Object.keys(texts.en));
    const values = (text) => (text.match(/\{\w+\}/g) ?? []).toSorted();
    for (const name of Object.keys(texts.en)) assert.deepEqual(values(texts.ko[name]), values(texts.en[name]), name);
  });

  test("each clause on how settings go together is said", () => {
    const clauses = guide.settings.flatMap((one) => [...one.contradictions, ...Object.values(one.dialects)]);
    for (const one of clauses) for (const part of clausesInKorean(one).split("; ")) assert.match(part, KOREAN, one);
  });

  test("no form of a clause is there for nothing", () => {
    const clauses = guide.settings.flatMap((one) => [...one.contradictions, ...Object.values(one.dialects)].flatMap((note) => [note, ...note.split("; ")]));
    const unused = CLAUSES.filter(([pattern]) => !clauses.some((one) => pattern.test(one))).map(([pattern]) => pattern.source);
    assert.deepEqual(unused, ["^looks back on the prompt$"].filter((one) => unused.includes(one)));
  });

  test("each form of values is said, unless it is made of names", () => {
    const shown = [...firstTopics(guide), ...groupsOf(guide).flatMap((group) => group.topics), topic("logit_bias")];
    const forms = new Set(shown.map((one) => one.form));
    assert.deepEqual([...forms].filter((one) => !(one in FORMS)), []);
  });
});
