// Trees as they are kept in the browser, the chat's messages, titles, and events cut out of a stream.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventCutter } from "../../../src/foretell/server/web/api/stream.js";
import { BLOCK, changedBlocks, headOf, isSound, treeOf } from "../../../src/foretell/server/web/share/session/records.js";
import { bringingBack, puttingAway, replaced } from "../../../src/foretell/server/web/share/session/steps.js";
import { titleOf } from "../../../src/foretell/server/web/state/titles.js";
import { EMPTY_PROMPT, newTree, withFork, withTokens } from "../../../src/foretell/server/web/state/tree.js";
import * as messages from "../../../src/foretell/server/web/write/prompt/messages.js";

const token = (id) => ({ id, text: "", bytes: [], origin: "generated", logprob: 0, rank: 1, step: null });
const tokens = (from, to) => Array.from({ length: to - from }, (_, index) => token(from + index));

test("a tree comes back as it was", () => {
  const begun = newTree(EMPTY_PROMPT);
  const tree = withFork(withTokens(begun, begun.current, tokens(0, 150)), begun.current, 70, tokens(0, 3), { seed: 1 });
  assert.deepEqual(treeOf(headOf(tree), changedBlocks(tree, undefined)), tree);
});

test("only blocks that have changed are written", () => {
  const begun = newTree(EMPTY_PROMPT);
  const before = withTokens(begun, begun.current, tokens(0, 2 * BLOCK + 1));
  const after = withTokens(before, before.current, tokens(200, 202));
  assert.deepEqual(changedBlocks(before, before), []);
  assert.deepEqual(changedBlocks(after, before).map((block) => block.key[2]), [2]);
});

test("a head that knows of fewer tokens than there are has the say", () => {
  const begun = newTree(EMPTY_PROMPT);
  const tree = withTokens(begun, begun.current, tokens(0, 5));
  const later = withTokens(tree, tree.current, tokens(5, 9));
  assert.deepEqual(treeOf(headOf(tree), changedBlocks(later, undefined)), tree);
});

test("a text becomes a conversation's first message, and comes back as it was", () => {
  const chat = messages.inMode({ ...EMPTY_PROMPT, text: "Hello" }, "chat");
  assert.deepEqual(chat.messages, [{ role: "user", content: "Hello" }]);
  assert.equal(messages.inMode(chat, "text").text, "Hello");
});

test("messages are added, moved and removed", () => {
  const say = (prompt) => prompt.messages.map((one) => `${one.role}:${one.content}`);
  let prompt = messages.withOneMore(messages.inMode({ ...EMPTY_PROMPT, text: "a" }, "chat"));
  prompt = messages.withMessage(prompt, 1, { content: "b" });
  assert.deepEqual(say(prompt), ["user:a", "assistant:b"]);
  assert.deepEqual(say(messages.withMoved(prompt, 0, 1)), ["assistant:b", "user:a"]);
  assert.deepEqual(say(messages.withoutMessage(prompt, 0)), ["assistant:b"]);
  assert.equal(messages.withMoved({ ...prompt, ids: [1] }, 0, 1).ids, null);
});

test("a tree's title is how its prompt begins", () => {
  assert.equal(titleOf({ prompt: { ...EMPTY_PROMPT, text: " a\n b " } }), "a b");
  assert.equal(titleOf({ prompt: { ...EMPTY_PROMPT, text: "🐈".repeat(61) } }), `${"🐈".repeat(60)}…`);
  const chat = [{ role: "system", content: "s" }, { role: "user", content: "u" }, { role: "assistant", content: "x" }];
  assert.equal(titleOf({ prompt: { mode: "chat", text: "t", messages: chat, ids: null } }), "u");
});

test("events come out whole, wherever their bytes are cut", () => {
  const text = ["data: 한국 🐈", ": ping", `data: ${"x".repeat(100)}`, "data: [DONE]"].map((one) => `${one}\n\n`).join("");
  const bytes = Buffer.from(text);
  for (const size of [1, 2, 3, 7, 1000]) {
    const cut = eventCutter();
    const found = [];
    for (let start = 0; start < bytes.length; start += size) found.push(...cut(bytes.subarray(start, start + size)));
    assert.deepEqual(found, text.split("\n\n").slice(0, -1));
  }
});

const grown = (num_tokens) => {
  const begun = newTree(EMPTY_PROMPT);
  return withTokens(begun, begun.current, tokens(0, num_tokens));
};

test("a block that is missing ends a text, and none takes its place", () => {
  const tree = grown(BLOCK * 3);
  const blocks = changedBlocks(tree, undefined);
  const back = treeOf(headOf(tree), [blocks[0], blocks[2]]);
  assert.deepEqual(back.branches[0].tokens, tree.branches[0].tokens.slice(0, BLOCK));
  assert.deepEqual(treeOf(headOf(tree), blocks.slice(1)).branches[0].tokens, []);
});

test("a tree whose branches hang on nothing is not shown", () => {
  const tree = grown(4);
  const forked = withFork(tree, tree.current, 3, tokens(0, 2), {});
  assert(isSound(forked));
  assert(!isSound({ ...forked, current: "gone" }));
  assert(!isSound({ ...forked, branches: forked.branches.slice(1) }));
  assert(!isSound(withFork(tree, tree.current, 5, [], {})));
});

const explained = (num_tokens) => tokens(0, num_tokens).map((one) => ({ ...one, step: { why: String(one.id) } }));

test("steps beyond some are put away, but for what is shown or written, and come back", () => {
  const [shown, later, older] = [0, 1, 2].map(() => {
    const begun = newTree(EMPTY_PROMPT);
    return withTokens(begun, begun.current, explained(10));
  });
  assert.equal(puttingAway([shown, later, older], null, 20).size, 0);
  assert.equal(puttingAway([shown, later, older], older.current, 10).size, 0);
  const away = puttingAway([shown, later, older], null, 19);
  assert.equal(replaced(shown, away), shown);
  assert.equal(replaced(later, away), later);
  const light = replaced(older, away);
  assert(light.branches[0].tokens.every((one) => one.step === null && one.isAway));
  assert.equal(puttingAway([shown, later, light], null, 19).size, 0);
  const back = bringingBack(light.branches[0].tokens, older.branches[0].tokens);
  assert.deepEqual(replaced(light, back), older);
  const lost = replaced(light, bringingBack(light.branches[0].tokens, []));
  assert.deepEqual(lost.branches[0].tokens, tokens(0, 10));
});
