/** What stands in a field in which the reader set nothing. */

import { t } from "../texts.js";

/** @param {import("../field.js").Filled | null} filled */
export function placeholderOf(filled) {
  if (filled === null) return t("not_set");
  return t("filled", { value: filled.value, by: t(`by_${filled.by}`) });
}
