/** A text as a page of its own, without scripts: a pure function. */

import { showCount, showDraw, showEntropy, showLogprob, showProbability } from "../../text/numbers.js";
import { boxesOf } from "../../text/token.js";
import { nameOf } from "../../text/visible.js";

/**
 * @typedef {Object} Wanted
 * @property {string} language
 * @property {string} prompt
 * @property {readonly import("../../text/token.js").Token[]} tokens
 * @property {[string, string][]} facts a name and a value each
 * @property {Record<"title" | "prompt" | "text" | "tokens" | "token" | "probability" | "logprob" | "rank" | "entropy" | "draw" | "origin" | "generated" | "chosen" | "typed" | "shades", string>} words
 */

/** The page's style: shades, and lines below that say the same. */
const STYLE = `
:root{color-scheme:light dark;--ink:light-dark(#1f1d1a,#eceae5);--quiet:light-dark(#625d54,#a9a69f);--edge:light-dark(#dcd8cf,#383b3d)}
body{margin:0 auto;padding:2rem 1rem;max-width:60rem;font:15px/1.5 ui-sans-serif,system-ui,sans-serif;color:var(--ink);background:light-dark(#fcfbf8,#151617)}
h1{font-size:1.375rem}h2{font-size:1rem;margin-block:2rem .5rem}
.text{font:1.125rem/1.9 Charter,"Noto Serif",Georgia,serif;white-space:pre-wrap;overflow-wrap:anywhere}
.prompt{color:var(--quiet)}
.s1,.s2,.s3,.s4{border-block-end:solid var(--ink)}
.s1{background:light-dark(#fdf1dc,#33291a);border-block-end-width:0}
.s2{background:light-dark(#fbe0b6,#4a3618);border-block-end:1px dotted}
.s3{background:light-dark(#f8c98a,#664515);border-block-end:1px solid}
.s4{background:light-dark(#f2ab62,#855312);border-block-end:3px double}
.typed{font-style:italic}.chosen{font-weight:650}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:0}dt{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .75rem;text-align:end;border-block-end:1px solid var(--edge);white-space:nowrap}
th:nth-child(2),td:nth-child(2),th:last-child,td:last-child{text-align:start}
`.trim();

/** @param {Wanted} wanted */
export function htmlPage({ language, prompt, tokens, facts, words }) {
  const title = escapeHtml(words.title);
  return `<!doctype html>
<html lang="${escapeHtml(language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<dl>${facts.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join("")}</dl>
<h2>${escapeHtml(words.text)}</h2>
<p class="text" dir="auto"><span class="prompt">${escapeHtml(prompt)}</span>${boxesOf(tokens).map(boxOf).join("")}</p>
<p>${escapeHtml(words.shades)}</p>
<h2>${escapeHtml(words.tokens)}</h2>
<div class="wide" tabindex="0"><table>
<thead><tr>${headOf(words)}</tr></thead>
<tbody>
${tokens.map((token, index) => rowOf(token, index, words)).join("\n")}
</tbody>
</table></div>
</main>
</body>
</html>
`;
}

/** @param {ReturnType<typeof boxesOf>[number]} box */
function boxOf({ tokens, text }) {
  const surprisals = tokens.map((token) => (token.logprob === null ? 0 : -token.logprob));
  const level = levelOf(Math.max(...surprisals));
  const { origin } = tokens[0];
  const names = [level > 0 ? `s${level}` : "", origin === "generated" ? "" : origin].filter((one) => one !== "");
  return names.length === 0 ? escapeHtml(text) : `<span class="${names.join(" ")}">${escapeHtml(text)}</span>`;
}

/**
 * How dark the shade of a surprisal is, 0 to 4: at probabilities of 1/2, 1/8, 1/32 and 1/256.
 *
 * @param {number} nats
 */
export function levelOf(nats) {
  return [1, 3, 5, 8].filter((bits) => nats >= bits * Math.LN2).length;
}

/** @param {Wanted["words"]} words */
function headOf({ token, probability, logprob, rank, entropy, draw, origin }) {
  const names = ["#", token, probability, logprob, rank, entropy, draw, origin];
  return names.map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join("");
}

/**
 * @param {import("../../text/token.js").Token} token
 * @param {number} index
 * @param {Wanted["words"]} words
 */
function rowOf(token, index, words) {
  const { logprob, rank, step, origin } = token;
  const cells = [
    showCount(index + 1),
    nameOf(token),
    logprob === null ? "" : showProbability(Math.exp(logprob)),
    logprob === null ? "" : showLogprob(logprob),
    rank === null ? "" : showCount(rank),
    step === null ? "" : showEntropy(step.stages[0].entropy),
    step?.draw ? showDraw(step.draw)[1] : "",
    words[origin],
  ];
  return `<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join("")}</tr>`;
}

const ESCAPES = /** @type {Record<string, string>} */ ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "\r": "&#13;" });

/** What turns the direction of what follows, what no page can have, and halves of characters. */
const NO_TEXT = /[\0\u202a-\u202e\u2066-\u2069]|\p{Cs}/gu;

/** @param {string} text */
export function escapeHtml(text) {
  return text.replace(NO_TEXT, "\ufffd").replace(/[&<>"'\r]/g, (one) => ESCAPES[one]);
}
