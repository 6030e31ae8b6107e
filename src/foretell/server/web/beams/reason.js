/** What became of a candidate, and why: the server's words, or the same in the reader's language. */

import { language } from "../app/words.js";
import { nameOf } from "../text/visible.js";
import { endName } from "../views/texts.js";
import { fallOf } from "./growth.js";
import { showSum } from "./numbers.js";
import { asked, shown } from "./state.js";
import { t } from "./texts.js";

/**
 * @typedef {import("./growth.js").Candidate} Candidate
 * @typedef {import("./layout.js").Place} Place
 */

/**
 * @param {Candidate} candidate
 * @param {number} step the number of its step
 */
export function reasonOf(candidate, step) {
  if (language.value === "en") return candidate.verdict;
  const values = {
    beam: candidate.beam ?? "",
    number: candidate.hypothesis ?? "",
    end: candidate.stop_reason === null ? "" : endName(candidate.stop_reason.kind),
    score: showSum(candidate.score),
    beams: (asked.value?.settings.num_beams ?? 5) / (asked.value?.settings.num_beam_groups ?? 1),
    candidates: shown.value.steps[step].num_candidates,
  };
  if (candidate.fate === "kept") return t("reason_kept", values);
  if (candidate.fate === "finished") return t("reason_finished", values);
  const fall = fallOf(candidate);
  const isDrawn = asked.value?.settings.do_sample === true || asked.value?.settings.stochastic_beams === true;
  return t(fall === "passed_over" && isDrawn ? "reason_not_drawn" : `reason_${fall}`, values);
}

/**
 * A place in a sentence.
 *
 * @param {Place} place
 */
export function sentenceOf({ candidate, step }) {
  if (candidate === null) return t("prompt");
  return t("label", {
    token: nameOf(named(candidate)),
    sum: showSum(candidate.total),
    rank: candidate.rank === null ? t("no_rank") : t("rank_short", { rank: candidate.rank }),
    reason: reasonOf(candidate, step),
  });
}

/**
 * A candidate as those want it who show tokens.
 *
 * @param {Candidate} candidate
 */
export function named({ token, bytes }) {
  return { text: token, bytes };
}
