/**
 * How a token came to be chosen, in sentences. Pure functions.
 *
 * The server tells it in English of what its chain chose; here it is told in Korean, and of what the
 * reader chose.
 *
 * @typedef {import("../../text/token.js").Token} Token
 * @typedef {import("../../text/token.js").Step} Step
 * @typedef {import("../../text/token.js").Stage} Stage
 * @typedef {import("../../text/token.js").Candidate} Candidate
 */

import { showCount, showDraw, showProbability } from "../../text/numbers.js";
import { removerOf, showStage } from "./stage_names.js";

/** A relative change of a probability that is more than rounding. */
const NOTEWORTHY = 1e-9;

/**
 * @param {Token} token one with a step
 * @param {"en" | "ko"} language
 */
export function storyOf(token, language) {
  const step = /** @type {Step} */ (token.step);
  return language === "en" && step.why ? step.why : sentencesOf(step, token.origin, WORDINGS[language]).join(" ");
}

/**
 * @param {Step} step
 * @param {Token["origin"]} origin
 * @param {Wording} say
 * @returns {string[]}
 */
export function sentencesOf(step, origin, say) {
  const { chosen, stages } = step;
  const favourite = favouriteOf(step);
  return [
    say.model(chosen, stages[0]),
    ...stages.slice(1).map((_, index) => stageSentence(step, index + 1, say)),
    ...(favourite.rank < chosen.rank ? [say.favourite(favourite, removerOf(step, favourite))] : []),
    origin === "chosen" ? say.reader() : step.draw === null ? say.greedy() : say.drawn(showDraw(step.draw, 6)),
  ];
}

/** @param {Step} step the model's likeliest token of those that are told of */
function favouriteOf({ chosen, runners_up }) {
  return runners_up.reduce((best, one) => (one.rank < best.rank ? one : best), chosen);
}

/** Stages that hold a text to a form: what does not go on with it is ruled out. */
const FORMS = ["json_schema", "json", "regex", "choices", "grammar", "structural_tag"];

/** @param {Stage} stage */
function isForm({ name }) {
  return FORMS.includes(name);
}

/** @param {Stage} stage its name and its value, or for a form, whose value is long, its name alone */
function shortStage(stage) {
  return isForm(stage) ? stage.name : showStage(stage);
}

/**
 * @param {Step} step
 * @param {number} index
 * @param {Wording} say
 */
function stageSentence({ stages, chosen }, index, say) {
  const stage = stages[index];
  const cut = stages[index - 1].num_candidates - stage.num_candidates;
  const [before, after] = chosen.probabilities.slice(index - 1, index + 1);
  const isSame = Math.abs(after - before) <= NOTEWORTHY * before;
  const isCut = chosen.removed_by === index;
  const change = isCut ? "cut" : isSame ? "same" : after > before ? "raised" : "lowered";
  return say.stage(stage, cut, Math.max(0, 1 - stage.mass), change, after);
}

/**
 * What a stage did to the token: "cut" happens only to one that the reader chose all the same.
 *
 * @typedef {"same" | "raised" | "lowered" | "cut"} Change
 */

/**
 * How each sentence is worded.
 *
 * @typedef {Object} Wording
 * @property {(chosen: Candidate, raw: Stage) => string} model
 * @property {(stage: Stage, cut: number, held: number, change: Change, p: number) => string} stage
 *   `cut` tokens are ruled out, or if negative let back in; they held so much
 * @property {(favourite: Candidate, remover: Stage | null) => string} favourite
 * @property {() => string} greedy
 * @property {() => string} reader
 * @property {(draw: [string, string, string]) => string} drawn
 */

/** @type {Record<"en" | "ko", Wording>} */
export const WORDINGS = {
  en: {
    model: (chosen, raw) =>
      `The model gave ${quoted(chosen)} ${showProbability(chosen.probabilities[0])}, rank ${chosen.rank} of ${raw.num_candidates}.`,
    stage: (stage, cut, held, change, p) => {
      const parts = [];
      if (cut > 0) parts.push(`cut ${countOf(cut)}, which held ${showProbability(held)}`);
      else if (cut < 0) parts.push(`let ${countOf(-cut)} back in`);
      if (change === "cut") parts.push("this one among them");
      else if (change !== "same") parts.push(`${change} it to ${showProbability(p)}`);
      else parts.push(parts.length > 0 ? "left it as likely" : "changed nothing for it");
      return `${showStage(stage)} ${parts.join(", and ")}.`;
    },
    favourite: (favourite, remover) => {
      const start = `The model's first choice, ${quoted(favourite)} (${showProbability(favourite.probabilities[0])}),`;
      if (remover !== null) return `${start} was removed by ${showStage(remover)}.`;
      return `${start} stood at ${showProbability(last(favourite.probabilities))} in the end.`;
    },
    greedy: () => "Its logit was then the largest, and greedy decoding takes that.",
    reader: () => "You chose it; nothing was drawn.",
    drawn: ([low, uniform, high]) =>
      `The number drawn was ${uniform}; with the probabilities summed by ascending ids, it fell between ${low} and ${high}, which is this token.`,
  },
  ko: {
    model: (chosen, raw) =>
      `모델은 ${quoted(chosen)}에 ${showProbability(chosen.probabilities[0])}를 주었습니다. 토큰 ${showCount(raw.num_candidates)}개 가운데 ${showCount(chosen.rank)}위입니다.`,
    stage: (stage, cut, held, change, p) => {
      const name = shortStage(stage);
      const tokens = isForm(stage) ? "형식에 맞지 않는 토큰" : "토큰";
      if (change === "cut") return `${name}: 이 토큰을 포함해 ${tokens} ${showCount(cut)}개(합계 ${showProbability(held)})를 잘라 냈습니다.`;
      const moved = { raised: "높였습니다", lowered: "낮췄습니다", same: "" }[change];
      const own = moved && `이 토큰을 ${showProbability(p)}로 ${moved}`;
      if (cut > 0) {
        const start = `${tokens} ${showCount(cut)}개(합계 ${showProbability(held)})를 잘라 내`;
        return `${name}: ${own ? `${start}고 ${own}` : `${start}었고 이 토큰의 확률은 그대로입니다`}.`;
      }
      if (cut < 0) {
        const start = `토큰 ${showCount(-cut)}개를 되살`;
        return `${name}: ${own ? `${start}리고 ${own}` : `${start}렸고 이 토큰의 확률은 그대로입니다`}.`;
      }
      return `${name}: ${own || "이 토큰에는 아무 변화가 없습니다"}.`;
    },
    favourite: (favourite, remover) => {
      const start = `모델이 가장 높게 본 토큰은 ${quoted(favourite)}(${showProbability(favourite.probabilities[0])})인데,`;
      if (remover !== null) return `${start} ${isForm(remover) ? `${remover.name} 형식에 맞지 않아` : `${showStage(remover)} 단계에서`} 잘려 나갔습니다.`;
      return `${start} 마지막에는 ${showProbability(last(favourite.probabilities))}였습니다.`;
    },
    greedy: () => "그 결과 로짓이 가장 커서 그리디 디코딩이 이 토큰을 골랐습니다.",
    reader: () => "이 토큰은 직접 고른 것이며, 난수를 뽑지 않았습니다.",
    drawn: ([low, uniform, high]) =>
      `뽑힌 난수는 ${uniform}입니다. 확률을 id 순서대로 더해 가면 ${low}부터 ${high}까지가 이 토큰의 구간이고, 난수가 그 안에 떨어졌습니다.`,
  },
};

/** @param {Candidate} candidate its token in quotes */
function quoted({ token }) {
  return JSON.stringify(token);
}

/** @param {number} number of tokens */
function countOf(number) {
  return `${number} token${number === 1 ? "" : "s"}`;
}

/** @param {number[]} numbers */
function last(numbers) {
  return numbers[numbers.length - 1];
}
