// The code of links: what goes in comes out, and nothing else gets in.
import assert from "node:assert/strict";
import { deflateRawSync } from "node:zlib";
import { test } from "node:test";
import { LinkError, decode, encode } from "../../../src/foretell/server/web/share/link/codec.js";
import { commonBeginning, tokenAt } from "../../../src/foretell/server/web/share/link/first_difference.js";

const LINK = {
  model: "toy",
  version: "0.1.0",
  prompt: { mode: "text", text: "고양이 🐈\u0000</script>", messages: [], ids: [1, 2, 49151] },
  tokens: [
    { id: 5, origin: "generated" },
    { id: 6, origin: "chosen" },
    { id: 7, origin: "typed" },
    { id: 8, origin: "generated" },
  ],
  texts: ["", "a", "bc", "d", ""],
  runs: [
    { start: 0, end: 1, settings: { seed: 4294967295, temperature: 0.8 } },
    { start: 3, end: 4, settings: { seed: 3, stop: ["\n"] } },
  ],
  settings: { temperature: 0.8 },
};

test("a link says what went into it", async () => {
  assert.deepEqual(await decode(await encode(LINK)), LINK);
  const chat = { ...LINK, prompt: { mode: "chat", text: "", messages: [{ role: "user", content: "안녕" }], ids: [3] } };
  assert.deepEqual(await decode(await encode(chat)), chat);
});

test("a link is short, and safe in an address", async () => {
  const long = { ...LINK, tokens: Array(300).fill(LINK.tokens[0]), texts: ["", "word ".repeat(300), ""], runs: [] };
  const code = await encode(long);
  assert.match(code, /^1\.[A-Za-z0-9_-]+$/);
  assert(code.length < 1000, `${code.length}`);
});

const coded = (data) => `1.${deflateRawSync(typeof data === "string" ? data : JSON.stringify(data)).toString("base64url")}`;
const RIGHT = { m: "a", f: "1", p: "x", i: [1], t: [1, 2], o: "", x: ["", "b"], r: [[0, 2, {}]], s: {} };

test("what is written by hand can be read if it is right", async () => {
  assert.equal((await decode(coded(RIGHT))).tokens.length, 2);
});

const WRONG = {
  "no code": "hello",
  "nothing": "",
  "no base64": "1.!!!!",
  "no deflate": `1.${Buffer.from("hello").toString("base64url")}`,
  "cut off": coded(RIGHT).slice(0, -8),
  "no JSON": coded("{"),
  "no UTF-8": `1.${deflateRawSync(Buffer.from([0xff, 0xfe])).toString("base64url")}`,
  "a list": coded([]),
  "null": coded(null),
  "no model": coded({ ...RIGHT, m: 1 }),
  "ids that are texts": coded({ ...RIGHT, t: ["1"] }),
  "a negative id": coded({ ...RIGHT, i: [-1] }),
  "an id that is a fraction": coded({ ...RIGHT, i: [1.5] }),
  "a huge id": coded({ ...RIGHT, i: [2 ** 31] }),
  "a role that is none": coded({ ...RIGHT, p: [["root", "x"]] }),
  "an empty conversation": coded({ ...RIGHT, p: [] }),
  "an unknown origin": coded({ ...RIGHT, o: "3" }),
  "more origins than tokens": coded({ ...RIGHT, o: "000" }),
  "a run past the end": coded({ ...RIGHT, r: [[0, 3, {}]] }),
  "a run without tokens": coded({ ...RIGHT, r: [[1, 1, {}]] }),
  "runs that overlap": coded({ ...RIGHT, r: [[0, 2, {}], [1, 2, {}]] }),
  "settings that are a list": coded({ ...RIGHT, s: [] }),
  "a prompt among settings": coded({ ...RIGHT, s: { prompt: "x" } }),
  "a stream among settings": coded({ ...RIGHT, r: [[0, 2, { stream: true }]] }),
  "a prototype among settings": coded(JSON.stringify(RIGHT).replace('"s":{}', '"s":{"__proto__":{}}')),
  "settings of lists in lists in lists": coded({ ...RIGHT, s: { stop: [[[[["x"]]]]] } }),
  "settings as deep as a stack": coded(JSON.stringify(RIGHT).replace('"s":{}', `"s":{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`)),
  "an earlier version than the first": coded(RIGHT).replace("1.", "0."),
  "no texts": coded({ ...RIGHT, x: [1] }),
};

for (const [name, code] of Object.entries(WRONG)) {
  test(`a link with ${name} is refused`, async () => {
    await assert.rejects(decode(code), (error) => error instanceof LinkError && error.kind === "damaged");
  });
}

test("a link of a later version says so", async () => {
  await assert.rejects(decode("2.abc"), { kind: "newer", message: "2" });
});

test("a text that no link could hold gets none", async () => {
  const words = Array.from({ length: 400_000 }, (_, index) => index.toString(36)).join(" ");
  await assert.rejects(encode({ ...LINK, prompt: { ...LINK.prompt, text: words } }), LinkError);
  await assert.rejects(encode({ ...LINK, tokens: Array(20_000).fill(LINK.tokens[0]) }), LinkError);
});

test("a small link that would be huge is refused", async () => {
  await assert.rejects(decode(coded(`"${"a".repeat(50_000_000)}"`)), { kind: "large" });
  await assert.rejects(decode(`1.${"A".repeat(2_000_000)}`), { kind: "large" });
});

const token = (text) => ({ id: 1, text, bytes: [...Buffer.from(text)] });

test("the first difference of texts, by tokens", () => {
  const again = ["The", " cat", " ran"].map(token);
  assert.deepEqual(commonBeginning(again, "The cat sat"), { num_tokens: 2, num_characters: 7, isWhole: false });
  assert.equal(commonBeginning(again, "The cat ran off").isWhole, true);
  assert.equal(commonBeginning(again, "The cat").isWhole, true);
  assert.equal(tokenAt(again, 7), 2);
  assert.equal(tokenAt(again, 3), 1);
  assert.equal(tokenAt(again, 99), 3);
});
