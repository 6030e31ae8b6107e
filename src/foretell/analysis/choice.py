"""One of several samples: the one that agrees best with the others, or whose answer most give.

print(llm.choose("Q: What is 17 + 25? A:", by="majority", answer=r"\\d+", temperature=0.8))
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from foretell.analysis.tasks import Analysis, GenerationTask
from foretell.config import GenerationConfig
from foretell.config.plain import number, string
from foretell.errors import ConfigError
from foretell.inputs.processor import merge_settings
from foretell.inputs.prompts import Prompt
from foretell.outputs import GenerationOutput, JsonMixin
from foretell.utils.display import pad, show_text
from foretell.utils.html import frame, table
from foretell.utils.quoting import quote

Utility = Callable[[str, str], float]
"""From a text and one to hold it against to how good it would be if the other were right."""

Answer = Callable[[str], "str | None"]
"""From a text to the answer in it, if it has one."""

CHOSEN_BY = ("mbr", "majority", "likelihood")
NUM_SAMPLES = 8
MAX_COLUMNS = 100  # of a line
CHRF_ORDER, CHRF_BETA = 6, 2.0


@dataclass(frozen=True, repr=False)
class ChoiceCandidate(JsonMixin):
    """A sample, and what speaks for it.

    Attributes:
        score: what it was chosen by: the mean utility, held against the other samples; the share of
            samples that give its answer; or the mean log-probability of its tokens.
        answer: what was found in it; None where no answer was looked for, or none found.
        logprob: the sum of its tokens' log-probabilities, by the raw model.
        output: all that is known of it, its receipt too.
    """

    index: int
    text: str
    score: float
    answer: str | None
    logprob: float
    token_ids: list[int]
    finish_reason: str
    output: GenerationOutput = field(repr=False, compare=False)


@dataclass(frozen=True, repr=False)
class SampleChoice(JsonMixin):
    """Samples of a prompt, and which was chosen; `str()` lists them with their scores.

    Attributes:
        by: "mbr", "majority" or "likelihood".
        best_index: of the candidate that was chosen.
        candidates: all samples, in their order.
        config: the settings in force, the seed drawn included.
    """

    prompt: str
    by: str
    best_index: int
    candidates: list[ChoiceCandidate]
    config: GenerationConfig

    @property
    def best(self) -> ChoiceCandidate:
        """The candidate that was chosen."""
        return self.candidates[self.best_index]

    @property
    def text(self) -> str:
        """Its text."""
        return self.best.text

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def _repr_html_(self) -> str:
        rows = [_cells(one, self.best_index) for one in self._ranked()]
        headings = ("", self.by, "answer", "text")
        return frame(table(headings, rows, left=(0, 2), wide=(3,)), notes=["→ is chosen"])

    def _ranked(self) -> list[ChoiceCandidate]:
        return sorted(self.candidates, key=lambda one: (one.index != self.best_index, -one.score))


def choose(
    prompt: Prompt,
    config: GenerationConfig,
    by: str,
    utility: Utility | str,
    answer: Answer | str | None,
    *,
    parse_special: bool = False,
) -> Analysis[SampleChoice]:
    """Draw samples, and choose one of them.

    - "mbr": minimum Bayes risk (Kumar & Byrne 2004; Eikema & Aziz 2020, arXiv 2005.10283): the one
      with the greatest mean utility, held against the others.
    - "majority": self-consistency (Wang et al. 2022, arXiv 2203.11171): of those with the answer
      that most samples give, the likeliest; texts that give no answer have no vote.
    - "likelihood": the one with the greatest mean log-probability of a token.

    Args:
        prompt: text or token ids.
        config: settings of the samples, by `config_of_samples`.
        by: what is chosen by.
        utility: of "mbr": "chrf", "f1" or a function of the text and another.
        answer: of "majority": a regular expression, whose last match is the answer (its first
            group, if it has one), or a function of the text; None for the whole text.
        parse_special: whether special tokens written out in the prompt count as such.

    Raises:
        ConfigError: an argument makes no sense, or no sample gives an answer.
    """
    judge = _judge(by, utility, answer)
    if config.logprobs is None:
        config = config.override(logprobs=0, logprobs_stage=("raw",))
    outputs = yield [GenerationTask(prompt, config, parse_special=parse_special)]
    scores = judge(outputs)
    candidates = [
        ChoiceCandidate(
            index=output.index,
            text=output.text,
            score=score,
            answer=found,
            logprob=_logprob(output),
            token_ids=output.token_ids,
            finish_reason=output.finish_reason,
            output=output,
        )
        for output, (score, found) in zip(outputs, scores, strict=True)
    ]
    best = max(candidates, key=lambda one: (one.score, one.logprob, -one.index))
    return SampleChoice(outputs[0].prompt, by, best.index, candidates, outputs[0].config)


def config_of_samples(
    config: GenerationConfig | None, settings: Mapping[str, Any]
) -> GenerationConfig:
    """A config with these settings, for samples that one is chosen among.

    They are 8 where no number is stated, of a beam search all its beams, and drawn where it is not
    said how tokens are chosen.

    Raises:
        ConfigError: a setting makes no sense, or there is one sample alone.
    """
    others = {**settings}
    number = others.pop("num_return_sequences", None)
    merged = merge_settings(config, others)
    if number is None:
        number = merged.stated.get("num_return_sequences")
    if number is None:
        number = merged.num_beams if merged.num_beams > 1 else NUM_SAMPLES
    found = merged.override(**_drawing(merged), num_return_sequences=number)
    if found.num_return_sequences == 1:
        raise ConfigError("num_return_sequences=1 leaves nothing to choose: must be 2 or more")
    return found


def _drawing(config: GenerationConfig) -> dict[str, Any]:
    is_greedy = config.do_sample is False or config.temperature == 0 or bool(config.penalty_alpha)
    is_said = config.is_sampling or is_greedy or config.num_beams > 1
    return {} if is_said else {"do_sample": True}


Scores = list[tuple[float, "str | None"]]


def _judge(
    by: str, utility: Utility | str, answer: Answer | str | None
) -> Callable[[Sequence[GenerationOutput]], Scores]:
    if by == "mbr":
        return partial(_by_utility, utility=_utility(utility))
    if by == "majority":
        return partial(_by_votes, answer=_answer(answer))
    if by == "likelihood":
        return _by_likelihood
    raise ConfigError(f"by={quote(by)} must be one of {', '.join(map(repr, CHOSEN_BY))}")


def _by_utility(outputs: Sequence[GenerationOutput], utility: Utility) -> Scores:
    texts = [output.text for output in outputs]
    known: dict[tuple[str, str], float] = {}
    for one in texts:
        for other in texts:
            if (one, other) not in known:
                known[one, other] = _checked(utility(one, other))
    count = len(texts)
    return [
        (math.fsum(known[one, texts[j]] for j in range(count) if j != i) / (count - 1), None)
        for i, one in enumerate(texts)
    ]


def _checked(value: Any) -> float:
    found = number(value)
    if found is None or not math.isfinite(found):
        raise ConfigError(f"utility returned {quote(value)}: must be a finite number")
    return float(found)


def _by_votes(outputs: Sequence[GenerationOutput], answer: Answer) -> Scores:
    found = [answer(output.text) for output in outputs]
    for one in found:
        if one is not None and string(one) is None:
            raise ConfigError(f"answer returned {quote(one)}: must be a text, or None")
    votes = Counter(one for one in found if one is not None)
    if not votes:
        raise ConfigError(f"answer finds none in {len(outputs)} texts: must in one, at least")
    return [(votes[one] / len(outputs) if one is not None else 0.0, one) for one in found]


def _by_likelihood(outputs: Sequence[GenerationOutput]) -> Scores:
    return [(_logprob(output) / max(1, len(output.token_ids)), None) for output in outputs]


def _logprob(output: GenerationOutput) -> float:
    return math.fsum(one.logprob or 0.0 for one in output.logprobs or ())


def _utility(utility: Utility | str) -> Utility:
    if callable(utility):
        return utility
    if utility not in UTILITIES:
        names = " or ".join(map(repr, UTILITIES))
        raise ConfigError(f"utility={quote(utility)} must be {names}, or a function of two texts")
    return UTILITIES[utility]


def _answer(answer: Answer | str | None) -> Answer:
    if answer is None:
        return str.strip
    if callable(answer):
        return answer
    if string(answer) is None:
        raise ConfigError(f"answer={quote(answer)} must be a regular expression or a function")
    try:
        pattern = re.compile(answer)
    except re.error as error:
        raise ConfigError(f"answer={quote(answer)} is no regular expression: {error}") from error

    def last(text: str) -> str | None:
        matches = [*pattern.finditer(text)]
        return matches[-1][1 if pattern.groups else 0] if matches else None

    return last


def chrf(text: str, other: str) -> float:
    """The F-score of shared n-grams of characters, without white space (Popović 2015), 0 to 1.

    The mean over n from 1 to 6 of precision and recall, of those n that both have; recall counts
    twice.
    """
    one, two = "".join(text.split()), "".join(other.split())
    precisions, recalls = [], []
    for size in range(1, CHRF_ORDER + 1):
        ours, theirs = _grams(one, size), _grams(two, size)
        if ours and theirs:
            shared = (ours & theirs).total()
            precisions.append(shared / ours.total())
            recalls.append(shared / theirs.total())
    if not precisions:
        return float(one == two)
    return _f_score(math.fsum(precisions) / len(precisions), math.fsum(recalls) / len(recalls))


def f1(text: str, other: str) -> float:
    """The F-score of shared words, in any order (Rajpurkar et al. 2016), 0 to 1."""
    ours, theirs = Counter(text.split()), Counter(other.split())
    if not ours or not theirs:
        return float(not ours and not theirs)
    shared = (ours & theirs).total()
    return _f_score(shared / ours.total(), shared / theirs.total(), beta=1.0)


def _grams(text: str, size: int) -> Counter[str]:
    return Counter(text[at : at + size] for at in range(len(text) - size + 1))


def _f_score(precision: float, recall: float, beta: float = CHRF_BETA) -> float:
    weighted = beta**2 * precision + recall
    return (1 + beta**2) * precision * recall / weighted if weighted else 0.0


UTILITIES: dict[str, Utility] = {"chrf": chrf, "f1": f1}


def _cells(one: ChoiceCandidate, best: int) -> tuple[str, ...]:
    mark = "→" if one.index == best else ""
    return (mark, f"{one.score:.3f}", one.answer or "", show_text(one.text))


def _lines(choice: SampleChoice) -> Iterator[str]:
    yield pad(show_text(choice.prompt), MAX_COLUMNS).rstrip()
    for one in choice._ranked():
        mark, score, answer, text = _cells(one, choice.best_index)
        start = f"{mark or ' '} {score:>7}  {f'[{answer}]  ' if answer else ''}"
        yield start + pad(text, max(20, MAX_COLUMNS - len(start))).rstrip()
