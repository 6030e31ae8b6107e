/** What the buttons start, with its errors told in the server's words. */

import { announce, tell } from "../../app/notices.js";
import { generate, generateAnew, goOn } from "../../state/generation.js";
import { choose, leaveStepping, pending, step } from "../../state/stepping.js";
import { showCount } from "../../text/numbers.js";
import { nameOf } from "../../text/visible.js";
import { t } from "./texts.js";

/**
 * Do something; what goes wrong is told. That the server does not answer is told elsewhere.
 *
 * @param {() => Promise<void>} act
 */
export async function reporting(act) {
  try {
    await act();
  } catch (error) {
    const { message, status } = /** @type {import("../../api/http.js").ApiError} */ (error);
    if (status !== 0) tell("error", message);
  }
}

export function generateReporting() {
  leaveStepping();
  return reporting(generate);
}

export function goOnReporting() {
  leaveStepping();
  return reporting(goOn);
}

export function generateAnewReporting() {
  leaveStepping();
  return reporting(generateAnew);
}

export function stepReporting() {
  return reporting(() => step().then(announceNext));
}

/** @param {import("../../text/token.js").Candidate} candidate */
export function chooseReporting(candidate) {
  return reporting(() => choose(candidate).then(announceNext));
}

/** Tells screen readers that the next token is there to be chosen. */
function announceNext() {
  const token = pending.value?.token;
  if (!token?.step) return;
  const number = showCount(token.step.runners_up.length + 1);
  announce(t(token.step.draw === null ? "next_there_greedy" : "next_there", { number, token: nameOf(token) }));
}
