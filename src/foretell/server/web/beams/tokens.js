/** A way through the tree as a text of Write. Pure functions. */

/**
 * The tokens on a way. Their log-probabilities are those of the search, which its settings may have
 * changed; what the model itself thought is not known.
 *
 * @param {readonly import("./layout.js").Place[]} path from the prompt on
 * @returns {import("../text/token.js").Token[]}
 */
export function tokensOfPath(path) {
  return path.flatMap(({ candidate }) =>
    candidate === null
      ? []
      : [{ id: candidate.token_id, text: candidate.token, bytes: candidate.bytes, origin: "generated", logprob: null, rank: null, step: null }],
  );
}
