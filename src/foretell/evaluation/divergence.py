"""How far a model's distributions are from a reference's, token by token of a text.

The figures are those of llama.cpp's llama-perplexity, over the same tokens: the second half of
windows of 512. It stores the reference's logits, in 16 bits each; here both models run in step, so
nothing is stored, and nothing rounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from foretell.config import Range
from foretell.config.ranges import MAX_COUNT
from foretell.decoding.softmax import check_logits
from foretell.errors import RequestError
from foretell.evaluation.arguments import check_model, check_text
from foretell.evaluation.estimates import Estimate, Moments, safe_exp
from foretell.evaluation.results import KLDivergence
from foretell.evaluation.rows import logits_in_step
from foretell.evaluation.windows import Cut, cut_for
from foretell.utils.arrays import Logits
from foretell.utils.progress import open_bar

if TYPE_CHECKING:
    from foretell.llm import LLM

PERCENTILES = (99.9, 99.0, 95.0, 90.0, 75.0, 50.0, 25.0, 10.0, 5.0, 1.0, 0.1)


def kl_divergence(
    model: LLM,
    reference: LLM,
    text: str,
    *,
    window: int | None = None,
    max_windows: int | None = None,
    progress: bool | None = None,
) -> KLDivergence:
    """Hold a model against a reference, over the tokens of a text.

        kl_divergence(LLM("model-q4_0.gguf"), LLM("model-f16.gguf"), text)

    Args:
        model, reference: two open models of one vocabulary, such as a quantized one and what it
            was made of.
        text: what both read.
        window: tokens of a window; None for 512, or the shorter context of the two.
        max_windows: take the first so many windows alone.
        progress: whether a bar shows windows; see `LLM.generate`.

    Raises:
        ConfigError: an argument makes no sense.
        RequestError: the vocabularies differ, or the text has not two windows.
        NumericalError: a model's logits are broken.
    """
    check_model("model", model)
    check_model("reference", reference)
    check_text(text)
    context = min(model.info.context_length, reference.info.context_length)
    cut = cut_for("llama.cpp", context, window)
    if max_windows is not None:
        Range(int, 1, math.inf, "windows").check("max_windows", max_windows)
    ids = _common_ids(cut, model, reference, text)
    total = min(cut.num_windows(len(ids)), max_windows or MAX_COUNT)
    tally = DivergenceTally()
    with open_bar("Comparing windows", total, "texts", asked=progress) as show:
        windows = islice(cut.windows(ids, model.tokenizer), total)
        for number, one in enumerate(windows, 1):
            start = 0
            for ours, theirs in logits_in_step(model, reference, one.span):
                tally.add(ours, theirs, one.span.scored[start : start + len(ours)])
                start += len(ours)
            show(number, f"mean KLD {tally.mean_kld:.6f}")
    return tally.result(cut.size, total)


def _common_ids(cut: Cut, model: LLM, reference: LLM, text: str) -> list[int]:
    """The ids of a text, which must be the same in both vocabularies."""
    sizes = model.info.vocab_size, reference.info.vocab_size
    if sizes[0] != sizes[1]:
        raise RequestError(
            f"the model's vocabulary has {sizes[0]} tokens, the reference's {sizes[1]}: only "
            "models of one vocabulary can be held against each other"
        )
    ids, others = (cut.encode(text, one.tokenizer) for one in (model, reference))
    if ids != others:
        raise RequestError(
            "model and reference cut the text into different tokens: only models of one vocabulary "
            "can be held against each other"
        )
    return ids


@dataclass(frozen=True)
class _Row:
    """A row of logits x as what its probabilities are made of: x - max, its exp, their sum."""

    shifted: NDArray[np.float64]
    weights: NDArray[np.float64]
    total: float
    ln_total: float
    top: int

    def logprob(self, token_id: int) -> float:
        return float(self.shifted[token_id]) - self.ln_total


def _row(logits: Logits) -> _Row:
    largest = check_logits(logits)
    shifted = logits.astype(np.float64)
    shifted -= largest
    weights = np.exp(shifted)
    total = float(weights.sum())
    return _Row(shifted, weights, total, math.log(total), int(logits.argmax()))


def _kld(model: _Row, reference: _Row) -> float:
    """Σ p (ln p - ln q), in nats; tokens that the reference rules out add nothing."""
    with np.errstate(invalid="ignore"):  # -inf less -inf
        terms = reference.shifted - model.shifted
    terms *= reference.weights
    if math.isnan(float(terms.sum())):
        terms[reference.weights == 0] = 0.0
    return float(terms.sum()) / reference.total - reference.ln_total + model.ln_total


class DivergenceTally:
    """What the tokens so far come to: sums, and of each token its KLD and Δp, 8 bytes each."""

    def __init__(self) -> None:
        self._klds: list[NDArray[np.float64]] = []
        self._deltas: list[NDArray[np.float64]] = []
        self._model, self._reference, self._kld = Moments(), Moments(), Moments()
        self._delta, self._squares, self._same = Moments(), Moments(), Moments()
        self._products = 0.0

    @property
    def mean_kld(self) -> float:
        """So far."""
        return self._kld.mean

    def add(self, model: Logits, reference: Logits, token_ids: Sequence[int]) -> None:
        """Take some rows of both, and the text's tokens in their places."""
        klds, deltas = np.empty(len(model)), np.empty(len(model))
        for index, token_id in enumerate(token_ids):
            ours, theirs = _row(model[index]), _row(reference[index])
            klds[index] = _kld(ours, theirs)
            deltas[index] = self._add_token(ours, theirs, token_id)
            self._kld.add(float(klds[index]))
        self._klds.append(klds)
        self._deltas.append(deltas)

    def _add_token(self, model: _Row, reference: _Row, token_id: int) -> float:
        """Take note of what both think of the text's token; Δp."""
        ours, theirs = model.logprob(token_id), reference.logprob(token_id)
        self._model.add(-ours)
        self._reference.add(-theirs)
        self._products += ours * theirs
        delta = math.exp(ours) - math.exp(theirs)
        self._delta.add(delta)
        self._squares.add(delta * delta)
        self._same.add(model.top == reference.top)
        return delta

    def result(self, window: int, num_windows: int) -> KLDivergence:
        """All figures."""
        klds, deltas = np.concatenate(self._klds), np.concatenate(self._deltas)
        return KLDivergence(
            window=window,
            num_windows=num_windows,
            num_tokens=self._kld.count,
            **self._perplexities(),
            mean_kld=self._kld.estimate(),
            max_kld=float(klds.max()),
            min_kld=float(klds.min()),
            kld_percentiles=_percentiles(klds),
            mean_delta_p=self._delta.estimate(),
            max_delta_p=float(deltas.max()),
            min_delta_p=float(deltas.min()),
            delta_p_percentiles=_percentiles(deltas),
            rms_delta_p=_root(self._squares.estimate()),
            same_top=self._same.estimate(),
        )

    def _perplexities(self) -> dict[str, Any]:
        """Both, and what lies between them; the errors know that both read the same tokens."""
        ours, theirs = self._model.estimate(), self._reference.estimate()
        ours_ppl, theirs_ppl = ours.exp(), theirs.exp()
        log = ours.value - theirs.value
        if ours.error is None or theirs.error is None:
            return {
                "model_ppl": ours_ppl,
                "reference_ppl": theirs_ppl,
                "correlation": None,
                "ln_ratio": Estimate(log, None),
                "ratio": Estimate(safe_exp(log), None),
                "difference": Estimate(ours_ppl.value - theirs_ppl.value, None),
            }
        number = self._model.count
        covariance = (self._products / number - ours.value * theirs.value) / (number - 1)
        spread = ours.error * theirs.error
        ln_ratio = Estimate(log, _error_of_difference(ours.error, theirs.error, covariance))
        scaled = covariance * ours_ppl.value * theirs_ppl.value
        apart = _error_of_difference(ours_ppl.error or 0.0, theirs_ppl.error or 0.0, scaled)
        return {
            "model_ppl": ours_ppl,
            "reference_ppl": theirs_ppl,
            "correlation": covariance / spread if spread else None,
            "ln_ratio": ln_ratio,
            "ratio": ln_ratio.exp(),
            "difference": Estimate(ours_ppl.value - theirs_ppl.value, apart),
        }


def _error_of_difference(first: float, second: float, covariance: float) -> float:
    return math.sqrt(max(0.0, first**2 + second**2 - 2 * covariance))


def _root(square: Estimate) -> Estimate:
    value = math.sqrt(square.value)
    known = square.error is not None and value > 0
    return Estimate(value, (square.error or 0.0) / (2 * value) if known else square.error)


def _percentiles(values: NDArray[np.float64]) -> dict[str, float]:
    """Values by percentile, interpolated between neighbours."""
    found = np.percentile(values, PERCENTILES)
    return {f"{name:g}": float(value) for name, value in zip(PERCENTILES, found, strict=True)}
