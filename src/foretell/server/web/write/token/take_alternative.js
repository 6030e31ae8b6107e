/** Takes the other road: a new branch that goes on from an alternative. */

import { effect } from "@preact/signals";
import { goOn, stop, writing } from "../../state/generation.js";
import { focus, settings, tokens, tree } from "../../state/store.js";
import { withFork } from "../../state/tree.js";
import { chosenToken } from "../../text/token.js";
import { goTo } from "../text/text_state.js";

/**
 * Fork at a token: another takes its place in a new branch, and the model goes on from there. What is
 * being written is stopped first.
 *
 * @param {number} index of the token in the branch that is shown
 * @param {import("../../text/token.js").Candidate} candidate one of its alternatives
 */
export async function takeAlternative(index, candidate) {
  await stopped();
  const step = tokens.value[index]?.step;
  if (!step || step.chosen === candidate) return;
  tree.value = withFork(tree.value, tree.value.current, index, [chosenToken(step, candidate)], settings.value);
  focus.value = index;
  goTo(index);
  await goOn();
}

/** Resolved once nothing is being written. */
function stopped() {
  if (writing.peek() === null) return Promise.resolve();
  stop();
  return new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
    const end = effect(() => {
      if (writing.value !== null) return;
      queueMicrotask(() => end());
      resolve();
    });
  });
}
