/** How branches are called, and where they left their parents. */

import { showCount } from "../../text/numbers.js";
import { nameOf } from "../../text/visible.js";
import { beginningOf } from "./rows.js";
import { t } from "./texts.js";

/** @param {import("../../state/tree.js").Branch} branch what it is called */
export function labelOf(branch) {
  return branch.name || beginningOf(branch) || t(branch.parent === null ? "beginning" : "empty");
}

/** @param {import("../../state/tree.js").Branch} branch where it left its parent, and with what */
export function leaving(branch) {
  const position = showCount(branch.start + 1);
  const [first] = branch.tokens;
  return first === undefined ? t("left_end", { position }) : t("left", { position, token: `“${nameOf(first)}”` });
}
