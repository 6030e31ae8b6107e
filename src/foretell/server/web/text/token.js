/**
 * A token of a text, and what is known of it. The shapes are those of the server's JSON; see
 * docs/server.md.
 *
 * @typedef {Object} Stage
 * @property {string} name the setting
 * @property {string} setting its value, as people write it
 * @property {number} num_candidates tokens that are left
 * @property {number} mass what they had before they were the only ones, 0 to 1
 * @property {number} entropy in nats
 *
 * @typedef {Object} Candidate
 * @property {number} token_id
 * @property {string} token
 * @property {number[]} bytes
 * @property {number} rank 1 is the model's likeliest
 * @property {(number | null)[]} logits after each stage; null where it is ruled out
 * @property {number[]} probabilities after each stage
 * @property {number | null} removed_by the index of the stage that ruled it out
 *
 * @typedef {Object} Draw
 * @property {number} uniform the number drawn, in [0, 1)
 * @property {number} low where the token's interval begins
 * @property {number} high where it ends
 *
 * @typedef {Object} Step
 * @property {Stage[]} stages
 * @property {Candidate} chosen
 * @property {Candidate[]} runners_up
 * @property {Draw | null} draw null: nothing was drawn
 * @property {string} why the same in sentences
 *
 * @typedef {Object} Token
 * @property {number} id
 * @property {string} text as the server shows it; a part of a character is shown as U+FFFD
 * @property {number[]} bytes
 * @property {"generated" | "chosen" | "typed"} origin the model's chain chose it, or the reader chose
 *   it among the alternatives, or typed it
 * @property {number | null} logprob natural logarithm of the model's own probability
 * @property {number | null} rank
 * @property {Step | null} step
 * @property {boolean} [isAway] the step is kept in the browser's database alone: see share/session/
 */

/**
 * The tokens of one event of `/v1/foretell/explain`.
 *
 * @param {{ logprobs: any[], steps: Step[] }} event
 * @returns {Token[]}
 */
export function tokensOf(event) {
  return event.logprobs.map((entry, index) => ({
    id: entry.token_id,
    text: entry.token,
    bytes: shared(entry.token_id, entry.bytes),
    origin: "generated",
    logprob: entry.logprob,
    rank: entry.rank,
    step: event.steps[index] ?? null,
  }));
}

/** The bytes of tokens that came, by their ids. @type {Map<number, number[]>} */
const known = new Map();

/**
 * The same array wherever a token has the same bytes: a long text holds few different ones.
 *
 * @param {number} id
 * @param {number[]} bytes
 */
function shared(id, bytes) {
  const before = known.get(id);
  if (before?.length === bytes.length && before.every((one, place) => one === bytes[place])) return before;
  known.set(id, bytes);
  return bytes;
}

/**
 * The token that an alternative is once the reader chooses it.
 *
 * @param {Step} step
 * @param {Candidate} candidate one of its candidates
 * @returns {Token}
 */
export function chosenToken(step, candidate) {
  const others = [step.chosen, ...step.runners_up].filter((one) => one !== candidate);
  return {
    id: candidate.token_id,
    text: candidate.token,
    bytes: candidate.bytes,
    origin: "chosen",
    logprob: Math.log(candidate.probabilities[0]),
    rank: candidate.rank,
    step: { ...step, chosen: candidate, runners_up: others, draw: null, why: "" },
  };
}

/**
 * A token that the reader typed.
 *
 * @param {number} id
 * @param {string} text
 * @param {number[]} bytes
 * @returns {Token}
 */
export function typedToken(id, text, bytes) {
  return { id, text, bytes, origin: "typed", logprob: null, rank: null, step: null };
}

/**
 * The text of tokens; bytes that are no character yet are U+FFFD.
 *
 * @param {readonly Token[]} tokens
 */
export function textOf(tokens) {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytesOf(tokens));
}

/** @param {readonly Token[]} tokens */
function bytesOf(tokens) {
  return Uint8Array.from(tokens.flatMap((token) => token.bytes));
}

/**
 * Tokens that share characters: most boxes have one token. A box has the text of its tokens together.
 *
 * @typedef {{ start: number, tokens: Token[], text: string }} Box
 */

/**
 * The boxes of tokens.
 *
 * @param {readonly Token[]} tokens
 * @param {number} [first] the number of the first of them that is to be in a box
 * @returns {Box[]}
 */
export function boxesOf(tokens, first = 0) {
  const boxes = [];
  for (let start = first; start < tokens.length; ) {
    let end = start + 1;
    while (end < tokens.length && sharesCharacter(tokens, start, end)) end += 1;
    const group = tokens.slice(start, end);
    boxes.push({ start, tokens: group, text: textOf(group) });
    start = end;
  }
  return boxes;
}

/**
 * Whether tokens end in the middle of a character that the next one goes on with.
 *
 * @param {readonly Token[]} tokens
 * @param {number} start
 * @param {number} end of the group, and the number of the token after it
 */
function sharesCharacter(tokens, start, end) {
  const next = tokens[end].bytes[0];
  return next !== undefined && isContinuation(next) && endsInside(tokens.slice(start, end));
}

/** @param {number} byte whether it goes on with a character of UTF-8 */
function isContinuation(byte) {
  return byte >= 0x80 && byte < 0xc0;
}

/** @param {Token[]} group whether its bytes end in the middle of a character */
function endsInside(group) {
  const bytes = group.slice(-4).flatMap((token) => token.bytes).slice(-4);
  for (let back = 1; back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back];
    if (!isContinuation(byte)) return byte >= 0xc0 && back < lengthOf(byte);
  }
  return false;
}

/** @param {number} lead the first byte of a character of several bytes */
function lengthOf(lead) {
  return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
}
