/** Errors in words: the server's own, where it gave some. */

import { t } from "./texts.js";

/** @param {import("../api/http.js").ApiError} error */
export function saidOfError(error) {
  return error.status === 0 ? t("unreachable") : error.message;
}
