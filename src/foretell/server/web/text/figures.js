/** What the model itself thought of a token, as it is shown. Pure functions. */

import { showCount, showEntropy, showProbability, showSurprisal } from "./numbers.js";
import { valueOf } from "./shade.js";

/** What is shown where the model was not asked. */
const NOTHING = "–";

/** @param {import("./token.js").Token} token */
export function figuresOf(token) {
  const [probability, entropy] = [valueOf(token, "probability"), valueOf(token, "entropy")];
  return {
    probability: probability === null ? NOTHING : showProbability(probability),
    rank: token.rank === null ? NOTHING : showCount(token.rank),
    surprisal: token.logprob === null ? NOTHING : showSurprisal(token.logprob),
    entropy: entropy === null ? NOTHING : showEntropy(entropy),
  };
}
