"""Diverse and constrained beams as transformers had them, up to 4.56, in every particular."""

from __future__ import annotations

from collections.abc import Container, Sequence

from foretell.config import GenerationConfig
from foretell.decoding.strategies.base import ConfiguredStrategy, StrategyContext
from foretell.decoding.strategies.beam import Search
from foretell.decoding.strategies.constrained import ConstrainedSearch, ConstrainedStrategy
from foretell.decoding.strategies.diverse import DiverseSearch, DiverseStrategy
from foretell.engine.request import Request
from foretell.hf_generate.running import Text


class ReleasedConstrained(ConstrainedStrategy):
    """Words of the prompt count, and where too few texts have all words, others are returned."""

    def make_search(self, config: GenerationConfig, context: StrategyContext) -> Search:
        """One search, as it was released."""
        return ConstrainedSearch(config, context, as_released=True)


def released_kind(request: Request, filling: int | None) -> type[ConfiguredStrategy] | None:
    """The strategy to run in place of the one that the settings ask for, if there is one.

    Of a group of beams that has ended, the beams count as saying `filling`.
    """

    class ReleasedDiverse(DiverseStrategy):
        def make_search(self, config: GenerationConfig, context: StrategyContext) -> Search:
            return DiverseSearch(config, context, filling)

    kinds = {DiverseStrategy: ReleasedDiverse, ConstrainedStrategy: ReleasedConstrained}
    return kinds.get(request.strategy_kind)  # type: ignore[arg-type]


def end_alike(texts: Sequence[Text], eos_token_ids: Sequence[int]) -> None:
    """Let texts that end with any end of sequence end with the first one."""
    ends: Container[int] = {*eos_token_ids}
    for text in texts:
        if text.tokens[-1] in ends:
            text.tokens[-1] = eos_token_ids[0]
