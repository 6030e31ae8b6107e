/** The tokens of the prompt, quietly before the text, where the reader wants to see them. */

import { effect, signal } from "@preact/signals";
import { html } from "../../app/html.js";
import { json } from "../../api/http.js";
import { promptBody } from "../../state/generation.js";
import { tree } from "../../state/store.js";
import { t } from "./texts.js";

/** Whether they are shown. */
export const showsPrompt = signal(false);

/** Their texts, and the prompt that they are of. */
const known = signal({ prompt: /** @type {object | null} */ (null), texts: /** @type {string[]} */ ([]) });

effect(() => {
  const { prompt } = tree.value;
  if (!showsPrompt.value || prompt.ids === null || known.peek().prompt === prompt) return;
  known.value = { prompt, texts: [] };
  textsOf(prompt).then(
    (texts) => known.peek().prompt === prompt && (known.value = { prompt, texts }),
    () => known.peek().prompt === prompt && (known.value = { prompt: null, texts: [] }),
  );
});

/**
 * @param {import("../../state/tree.js").Prompt} prompt
 * @returns {Promise<string[]>}
 */
async function textsOf(prompt) {
  return (await json("tokenize", { ...promptBody(prompt), return_token_strs: true })).token_strs;
}

export function PromptTokens() {
  const { texts } = known.value;
  if (!showsPrompt.value || texts.length === 0) return null;
  return html`
    <div class="prompt-tokens" role="group" aria-label=${t("prompt_tokens")} dir="auto">
      ${texts.map((text, index) => html`<span key=${index}>${text}</span>`)}
    </div>
  `;
}
