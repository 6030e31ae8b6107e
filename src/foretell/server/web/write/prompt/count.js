/** How many tokens the prompt in the box has: asked of the server once the reader pauses. */

import { effect, signal } from "@preact/signals";
import { json } from "../../api/http.js";
import { isReachable } from "../../api/reachable.js";
import { foreignness, keepIds, promptBody } from "../../state/generation.js";
import { forModel } from "../../state/server.js";
import { draft, tree } from "../../state/store.js";

const PAUSE = 250;

/** Tokens of the prompt, and how many the model can read; null where that is not known. */
export const promptCount = signal(/** @type {{ count: number, most: number } | null} */ (null));

/** Keeps the count up to date; ends with the function it returns. */
export function followCount() {
  let timer = 0;
  let abort = new AbortController();
  const end = effect(() => {
    const prompt = draft.value;
    const isAnswered = isReachable.value;
    clearTimeout(timer);
    abort.abort();
    abort = new AbortController();
    if (isAnswered) timer = setTimeout(() => count(prompt, abort.signal), PAUSE);
  });
  return () => {
    end();
    clearTimeout(timer);
  };
}

/**
 * @param {import("../../state/tree.js").Prompt} prompt
 * @param {AbortSignal} signal
 */
async function count(prompt, signal) {
  try {
    const { count, max_model_len: most, tokens } = await json("tokenize", forModel(promptBody(prompt)), signal);
    promptCount.value = { count, most };
    if (tree.value.prompt.ids === null && foreignness.value === null) keepIds(tree.value.id, prompt, tokens);
  } catch {
    if (!signal.aborted) promptCount.value = null; // generating says what is wrong with it
  }
}
