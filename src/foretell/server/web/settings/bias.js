/** Biases of tokens: a token is made likelier or rarer, or banned. */

import { settings } from "../state/store.js";
import { setSetting } from "./change.js";
import { rememberToken } from "./token_names.js";
import { withBias } from "./values.js";

/**
 * Bias or ban a token, or take that back.
 *
 * @param {number} tokenId
 * @param {string} text what the token is, for people
 * @param {number | "ban" | null} value what is added to its logit; null: nothing any more
 */
export function setBias(tokenId, text, value) {
  rememberToken(tokenId, text);
  setSetting("logit_bias", withBias(settings.value, tokenId, value).logit_bias);
}
