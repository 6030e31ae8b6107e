/** The text that is shown, in the forms in which it can leave the page. */

import { withAllSteps } from "../session/session.js";
import { language } from "../../app/words.js";
import { json } from "../../api/http.js";
import { promptIds } from "../../state/generation.js";
import { choosingOnly } from "../../state/runs.js";
import { serverModel, serverVersion } from "../../state/server.js";
import { tree } from "../../state/store.js";
import { runsOfBranch, tokensOfBranch } from "../../state/tree.js";
import { titleOf } from "../../state/titles.js";
import { textOf } from "../../text/token.js";
import { htmlPage } from "./html.js";
import { pythonProgram } from "./python.js";
import { shellLine } from "./shell.js";
import { partsOf } from "./parts.js";
import { t } from "../texts.js";

function shownNow() {
  const from = tree.value;
  const tokens = tokensOfBranch(from, from.current);
  return { prompt: from.prompt, tokens, runs: runsOfBranch(from, from.current) };
}

/** All branches with all that is known of their tokens. */
export async function asJson() {
  const ids = await promptIds();
  const { prompt, branches, current } = await withAllSteps(tree.value);
  const data = {
    object: "foretell.playground.tree",
    version: 1,
    model: serverModel.value,
    foretell: serverVersion.value,
    prompt: { ...prompt, ids },
    text: textOf(tokensOfBranch(tree.value, current)),
    current,
    branches,
  };
  return `${JSON.stringify(data, null, 1)}\n`;
}

/** A page without scripts. */
export async function asHtml() {
  const { prompt, tokens, runs } = shownNow();
  const told = prompt.mode === "text" ? prompt.text : prompt.messages.map((one) => `${one.role}: ${one.content}\n`).join("");
  const settings = runs.map((run) => JSON.stringify(choosingOnly(run.settings)));
  const facts = /** @type {[string, string][]} */ ([
    [t("model"), `${serverModel.value} · foretell ${serverVersion.value}`],
    ...[...new Set(settings)].map((one) => [t("settings"), one]),
  ]);
  const words = /** @type {any} */ (Object.fromEntries(HTML_WORDS.map((name) => [name, t(name)])));
  return htmlPage({ language: language.value, prompt: told, tokens, facts, words: { ...words, title: titleOf({ prompt }) || "foretell" } });
}

const HTML_WORDS = /** @type {const} */ ([
  "prompt", "text", "tokens", "token", "probability", "logprob", "rank", "entropy", "draw", "origin", "generated", "chosen", "typed", "shades",
]);

export async function asPython() {
  const { prompt, tokens, runs } = shownNow();
  const told = prompt.mode === "text" ? prompt.text : prompt.messages;
  return pythonProgram({ model: serverModel.value, prompt: told, promptIds: await promptIds(), parts: partsOf(tokens, runs) });
}

/** A line for a shell, and a comment before it where it cannot give the same text. */
export async function asShell() {
  const { prompt, tokens, runs } = shownNow();
  const parts = partsOf(tokens, runs);
  const last = parts.at(-1);
  const settings = last?.kind === "run" ? last.settings : { max_new_tokens: 1 };
  const num_before = last?.kind === "run" ? (runs.at(-1)?.start ?? 0) : tokens.length;
  const ids = [...(await promptIds()), ...tokens.slice(0, num_before).map((token) => token.id)];
  const isPlain = prompt.mode === "text" && num_before === 0;
  const told = isPlain ? prompt.text : await textOfIds(ids);
  const isSame = !told.includes("\0") && (await isCutLike(told, !isPlain && prompt.mode === "chat", ids));
  const line = shellLine({ prompt: told, isTemplated: prompt.mode === "chat", model: serverModel.value, settings });
  return `${isSame ? "" : `# ${t("cut_otherwise")}\n`}${line}\n`;
}

/** @param {number[]} ids */
async function textOfIds(ids) {
  const { prompt } = await json("detokenize", { tokens: ids, skip_special_tokens: false });
  return prompt;
}

/**
 * Whether a text is cut into these ids, as the command would do it.
 *
 * @param {string} text
 * @param {boolean} parse_special
 * @param {number[]} ids
 */
async function isCutLike(text, parse_special, ids) {
  const { tokens } = await json("tokenize", { prompt: text, parse_special });
  return tokens.length === ids.length && ids.every((id, index) => tokens[index] === id);
}
