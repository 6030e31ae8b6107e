/** A link to the text that is shown: all that is needed to show it elsewhere, and to write it again. */

import { serverModel, serverVersion } from "../../state/server.js";
import { choosingOnly } from "../../state/runs.js";
import { settings, tree } from "../../state/store.js";
import { runsOfBranch, tokensOfBranch } from "../../state/tree.js";
import { promptIds } from "../../state/generation.js";
import { textOf } from "../../text/token.js";
import { MARK } from "../replaying.js";
import { LinkError, encode } from "./codec.js";
import { t } from "../texts.js";

/** The address of a page with the text that is shown. */
export async function linkToText() {
  const address = new URL(location.href);
  address.hash = MARK + (await encoded(await linkOf(tree.value)));
  return address.href;
}

/** @param {import("./codec.js").Link} link */
async function encoded(link) {
  try {
    return await encode(link);
  } catch (error) {
    throw error instanceof LinkError ? new Error(t("too_long")) : error;
  }
}

/**
 * @param {import("../../state/tree.js").Tree} from
 * @returns {Promise<import("./codec.js").Link>}
 */
async function linkOf(from) {
  const ids = await promptIds();
  const tokens = tokensOfBranch(from, from.current);
  const runs = runsOfBranch(from, from.current).filter((run) => run.start < run.end);
  const { max_new_tokens } = settings.value;
  return {
    model: serverModel.value,
    version: serverVersion.value,
    prompt: { ...from.prompt, ids },
    tokens: tokens.map(({ id, origin }) => ({ id, origin })),
    texts: textsBetween(tokens, runs),
    runs: runs.map((run) => ({ ...run, settings: withoutReports(run.settings) })),
    settings: { ...choosingOnly(settings.value), ...(max_new_tokens ? { max_new_tokens } : {}) },
  };
}

/** @param {Record<string, any>} all */
function withoutReports({ logprobs, trace, stream, prompt, ...kept }) {
  return kept;
}

/**
 * The text of the tokens, cut where a run begins or ends: what lies before the first run, that run,
 * what lies between it and the second, and so on.
 *
 * @param {readonly import("../../text/token.js").Token[]} tokens
 * @param {readonly import("../../state/runs.js").Run[]} runs
 */
export function textsBetween(tokens, runs) {
  const cuts = [0, ...runs.flatMap((run) => [run.start, run.end]), tokens.length];
  return cuts.slice(1).map((cut, index) => textOf(tokens.slice(cuts[index], cut)));
}
