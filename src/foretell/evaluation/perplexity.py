"""The perplexity of a text, by the convention of llama.cpp, Hugging Face or lm-eval."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from foretell.analysis.continuations import score_spans
from foretell.config import Range
from foretell.config.ranges import MAX_COUNT
from foretell.evaluation.arguments import check_model, check_text
from foretell.evaluation.estimates import Estimate, Moments, safe_exp
from foretell.evaluation.results import Perplexity
from foretell.evaluation.windows import Cut, Window, cut_for
from foretell.utils.progress import open_bar

if TYPE_CHECKING:
    from foretell.llm import LLM

WINDOWS_AT_ONCE = 8
WORD_ENDS = re.compile(r"\s+")


def perplexity(
    llm: LLM,
    text: str,
    convention: str = "llama.cpp",
    *,
    window: int | None = None,
    stride: int | None = None,
    max_windows: int | None = None,
    progress: bool | None = None,
) -> Perplexity:
    """The perplexity of a text.

        perplexity(llm, open("wiki.test.raw").read())

    Args:
        llm: the model, open.
        text: what is scored.
        convention: "llama.cpp": windows of 512 tokens, of each the second half, which has at least
            half a window before it; "huggingface": windows of the model's context, each beginning
            a stride of 512 later, of each what is new; "lm-eval": disjoint windows of the model's
            context, every token scored once, also by word and byte.
        window, stride: other lengths.
        max_windows: score the first so many windows alone.
        progress: whether a bar shows windows; see `LLM.generate`.

    Raises:
        ConfigError: an argument makes no sense.
        RequestError: the text is too short.
    """
    check_model("llm", llm)
    check_text(text)
    cut = cut_for(convention, llm.info.context_length, window, stride)
    if max_windows is not None:
        Range(int, 1, math.inf, "windows to score").check("max_windows", max_windows)
    ids = cut.encode(text, llm.tokenizer)
    total = min(cut.num_windows(len(ids)), max_windows or MAX_COUNT)
    tally = _Tally()
    windows = islice(cut.windows(ids, llm.tokenizer), total)
    with open_bar("Scoring windows", total, "texts", asked=progress) as show:
        for one, nlls in _scored(llm, windows):
            tally.add(one, nlls)
            show(tally.num_windows, f"perplexity {safe_exp(tally.mean):.4f}")
    return _result(cut, tally, text, len(ids), is_whole=max_windows is None)


def _scored(llm: LLM, windows: Iterator[Window]) -> Iterator[tuple[Window, list[float]]]:
    """Each window with the negative log-probabilities of its scored tokens, some at a time."""
    while some := [*islice(windows, WINDOWS_AT_ONCE)]:
        scores = llm._analyse(score_spans([one.span for one in some]))
        for one, score in zip(some, scores, strict=True):
            yield one, [-report.chosen.logprob for report in score.reports]


class _Tally:
    """What the windows so far come to."""

    def __init__(self) -> None:
        self.num_windows = 0
        self.tokens = Moments()
        self._sum = 0.0
        self._weight = 0

    def add(self, window: Window, nlls: list[float]) -> None:
        self.num_windows += 1
        for nll in nlls:
            self.tokens.add(nll)
        self._sum += math.fsum(nlls) / len(nlls) * window.weight
        self._weight += window.weight

    @property
    def mean(self) -> float:
        return self._sum / self._weight


def _result(cut: Cut, tally: _Tally, text: str, num_tokens: int, *, is_whole: bool) -> Perplexity:
    mean = Estimate(tally.mean, tally.tokens.estimate().error)
    by_text: dict[str, Estimate] = {}
    if cut.convention == "lm-eval" and is_whole:
        num_words, num_bytes = len(WORD_ENDS.split(text)), len(text.encode())
        by_text["words"] = _per(mean, tally.tokens.count, num_words).exp()
        by_byte = _per(mean, tally.tokens.count, num_bytes)
        by_text["bytes"] = by_byte.exp()
        by_text["bits_per_byte"] = _per(by_byte, 1, math.log(2))
    return Perplexity(
        convention=cut.convention,
        window=cut.size,
        stride=cut.stride,
        num_windows=tally.num_windows,
        num_tokens=num_tokens,
        num_scored=tally.tokens.count,
        mean_nll=mean,
        perplexity=mean.exp(),
        **by_text,
    )


def _per(mean: Estimate, count: int, unit: float) -> Estimate:
    """A mean over `count` things, as one over `unit` of them."""
    error = None if mean.error is None else mean.error * count / unit
    return Estimate(mean.value * count / unit, error)
