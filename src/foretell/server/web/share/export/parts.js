/** A branch as what wrote it: runs, and what the reader chose or typed between them. Pure. */

import { settingsOfRun } from "../../state/runs.js";
import { textOf } from "../../text/token.js";

/**
 * @param {readonly import("../../text/token.js").Token[]} tokens
 * @param {readonly import("../../state/runs.js").Run[]} runs
 * @returns {import("./python.js").Part[]}
 */
export function partsOf(tokens, runs) {
  const parts = [];
  let end = 0;
  for (const run of runs.filter((one) => one.start < one.end)) {
    if (run.start > end) parts.push(idsPart(tokens.slice(end, run.start)));
    parts.push(/** @type {const} */ ({ kind: "run", settings: settingsOfRun(run) }));
    end = run.end;
  }
  return end < tokens.length ? [...parts, idsPart(tokens.slice(end))] : parts;
}

/** @param {readonly import("../../text/token.js").Token[]} tokens */
function idsPart(tokens) {
  return /** @type {const} */ ({ kind: "ids", ids: tokens.map((token) => token.id), text: textOf(tokens) });
}
