"""Stochastic beams: texts drawn without replacement, as many as there are beams."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence

from foretell.config import GenerationConfig
from foretell.decoding.fused.chain import MAX_VOCAB, draw, sum_up, to_log_probabilities
from foretell.decoding.fused.elementary import exp_of, expm1_of, log_of
from foretell.decoding.processors.base import History
from foretell.decoding.softmax import BLOCK, log_normalizer
from foretell.decoding.strategies.base import ChosenToken, SampleToken, StrategyContext
from foretell.decoding.strategies.beam import SearchStrategy
from foretell.decoding.strategies.beam_records import Candidate, Hypothesis, Node
from foretell.decoding.strategies.beam_search import BeamSearch, Decision
from foretell.utils.arrays import Logits


class StochasticStrategy(SearchStrategy):
    """Stochastic beam search (Kool, van Hoof and Welling 2019, arXiv 1903.06059).

    Its texts are drawn by their probabilities without replacement, and returned in the order of
    the draws; with each comes how likely it was to be among them.
    """

    _search: StochasticSearch

    @staticmethod
    def suits(config: GenerationConfig, *, is_guided: bool) -> bool:
        """Where it is asked for."""
        return config.stochastic_beams

    def make_search(self, config: GenerationConfig, context: StrategyContext) -> StochasticSearch:
        """One search of all beams."""
        return StochasticSearch(config, context)

    def _agreed(self) -> list[SampleToken]:
        """The first text's tokens are certain as they are drawn, the others' once all agree."""
        others = self.agreed_node() if self._num_samples > 1 else None
        return self._emit([self._search.first, *[others] * (self._num_samples - 1)])

    def _last(self, sample: int, hypothesis: Hypothesis, token: ChosenToken) -> SampleToken:
        probability = self._search.inclusion_probability(hypothesis, self._num_samples)
        return SampleToken(sample, token, hypothesis.reason, hypothesis.score, probability)


class StochasticSearch(BeamSearch):
    """The search for one prompt, by perturbed log-probabilities (the Gumbel-top-k trick).

    A continuation's log-probability with Gumbel noise is the greatest of all texts that it may
    become. So the beams with the greatest ones become the texts with the greatest ones, which are a
    sample without replacement. A text that has ended stays a beam.
    """

    def __init__(self, config: GenerationConfig, context: StrategyContext) -> None:
        super().__init__(config, context)
        self._texts: list[Hypothesis] = []
        self._greatest_left_out = -math.inf

    @property
    def hypotheses(self) -> list[Hypothesis]:
        """The finished texts among the beams, in the order of the draws."""
        return self._texts

    @property
    def first(self) -> Node | None:
        """How far the first text is certain: its last token is not told before the end."""
        ended = [one.node for one in self._texts]
        best = max([*self.live, *ended], key=_perturbed)
        return best.parent if best in ended and best is not None else best

    def inclusion_probability(self, hypothesis: Hypothesis, num_texts: int) -> float:
        """How likely the text was to be among the first `num_texts` drawn, given the others.

        That is the probability that its noise lifts it above the greatest that was left out.
        """
        left_out = self._greatest_left_out
        if num_texts < len(self._texts):
            left_out = _perturbed(self._texts[num_texts].node)
        return -expm1_of(-exp_of(hypothesis.node.total - left_out))

    def _to_log_probabilities(self, row: Logits, history: History) -> None:
        super()._to_log_probabilities(row, history)
        if self._stages:  # of what they leave
            to_log_probabilities(row)

    def _decide(
        self,
        rows: Sequence[Logits],
        histories: Sequence[History],
        raw: Sequence[Logits] | None,
    ) -> Decision:
        uniforms = self._uniforms(len(histories[0].tokens))
        beams = [
            _Beam(parent, row, *_sums(node, uniforms))
            for parent, (row, node) in enumerate(zip(rows, self.live, strict=True))
        ]
        drawn = self._draw(beams, uniforms)
        reasons = {one: self._reason(one, histories) for one in drawn}
        made = {
            one: Hypothesis(self._node(one, raw), one.total, reason)
            for one, reason in reasons.items()
            if reason is not None
        }
        self._texts = sorted([*self._texts, *made.values()], key=lambda one: -_perturbed(one.node))
        going_on = [one for one, reason in reasons.items() if reason is None]
        return Decision(reasons, made, going_on, None if going_on else "exhausted")

    def _draw(self, beams: Sequence[_Beam], uniforms: Iterator[float]) -> list[Candidate]:
        """The greatest of all children, as many as there is room for beside greater texts.

        Texts that are outdone are dropped.
        """
        drawn: list[Candidate] = []
        texts, kept = self._texts, 0
        heap = [(-beam.perturbed, beam.parent) for beam in beams]
        heapq.heapify(heap)
        while kept + len(drawn) < self._num_beams and (heap or kept < len(texts)):
            if kept < len(texts) and not (heap and -heap[0][0] > _perturbed(texts[kept].node)):
                kept += 1
                continue
            beam = beams[heap[0][1]]
            drawn.append(beam.draw(uniforms))
            if beam.perturbed > -math.inf:
                heapq.heapreplace(heap, (-beam.perturbed, beam.parent))
            else:
                heapq.heappop(heap)
        left_out = [_perturbed(one.node) for one in texts[kept : kept + 1]]
        left_out += [-heap[0][0]] if heap else []
        self._greatest_left_out = max([self._greatest_left_out, *left_out])
        self._texts = texts[:kept]
        return drawn


class _Beam:
    """The children of one live beam, from the greatest perturbed log-probability down.

    The greatest is the beam's own; each further one is drawn below the last, by the probability
    that is left. So children that are not needed are never drawn.

    Attributes:
        parent: the number of the beam.
        perturbed: that of the next child; -inf if there is none.

    Args:
        parent: the number of the beam.
        row: log-probabilities of the children, `(vocab_size,)`; those drawn are ruled out in it.
        total: the beam's log-probability.
        perturbed: the same with its noise.
    """

    def __init__(self, parent: int, row: Logits, total: float, perturbed: float) -> None:
        self.parent = parent
        self.perturbed = perturbed
        self._row = row
        self._total = total

    def draw(self, uniforms: Iterator[float]) -> Candidate:
        """The next child."""
        token_id = draw(self._row, next(uniforms))
        logprob, perturbed = float(self._row[token_id]), self.perturbed
        self._row[token_id] = -math.inf
        left, uniform = _log_mass(self._row), _above_zero(next(uniforms))
        self.perturbed = left
        if left > -math.inf:
            self.perturbed = _gumbel_below(perturbed, self._total + left, uniform)
        return Candidate(self.parent, token_id, logprob, self._total, perturbed=perturbed)


def _log_mass(row: Logits) -> float:
    """log Σ exp(row); -inf where nothing is possible."""
    if len(row) > MAX_VOCAB:
        return log_normalizer(row) if row.max() > -math.inf else -math.inf
    sums = sum_up(row, BLOCK)
    return sums.largest + log_of(math.fsum(sums.masses)) if sums.num_possible else -math.inf


def _gumbel_below(limit: float, location: float, uniform: float) -> float:
    """A Gumbel number about a location, given that it is below a limit."""
    return location - log_of(exp_of(location - limit) - log_of(uniform))


def _above_zero(uniform: float) -> float:
    """A multiple of 2**-53 in [0, 1), moved by half a step into (0, 1)."""
    return uniform + 2.0**-54


def _sums(node: Node | None, uniforms: Iterator[float]) -> tuple[float, float]:
    """A beam's log-probability, and the same with noise, which the prompt draws."""
    if node is None:
        return 0.0, -log_of(-log_of(_above_zero(next(uniforms))))
    return node.total, _perturbed(node)


def _perturbed(node: Node | None) -> float:
    return -math.inf if node is None or node.perturbed is None else node.perturbed
