/** What the buttons start, with its errors told in the server's words. */

import { tell } from "../../app/notices.js";
import { generate, generateAnew, goOn } from "../../state/generation.js";
import { choose, leaveStepping, step } from "../../state/stepping.js";

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
  return reporting(step);
}

/** @param {import("../../text/token.js").Candidate} candidate */
export function chooseReporting(candidate) {
  return reporting(() => choose(candidate));
}
