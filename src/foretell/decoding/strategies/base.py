"""What a strategy is: a state machine that decides what the sequences of one request do next.

    step(rows, histories) → Choices, or a Draw for each row, which C++ turns into tokens

It is given the logits rows of its request's live sequences. The first child of a parent goes on in
its place, further children are forks, and a parent without children is freed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from foretell.config import GenerationConfig
from foretell.decoding.context import ChainContext
from foretell.decoding.drafts.base import Foresight
from foretell.decoding.fused.chain import FusedChain
from foretell.decoding.logprobs import NO_REPORTS, TokenReport, report
from foretell.decoding.processors.base import History
from foretell.decoding.trace import StepRecord
from foretell.outputs import LogprobStage, StopReason
from foretell.utils.arrays import Logits

StopCheck = Callable[[History], "StopReason | None"]
"""Why a sequence ends with its last token, if it does."""


class ChosenToken(NamedTuple):
    """A token, and what is to be reported of it.

    `reports` has the log-probabilities at each stage that the request asked for, `trace` what each
    processor did, if it was asked for.
    """

    token_id: int
    reports: Mapping[LogprobStage, TokenReport] = NO_REPORTS
    trace: StepRecord | None = None


class Choice(NamedTuple):
    """Tokens, at least one, that go on from a live sequence: row `parent` of those given."""

    parent: int
    tokens: tuple[ChosenToken, ...]


class SampleToken(NamedTuple):
    """A finalized token of one sample.

    The last one carries the stop reason and, for beams, the score; where they are drawn, also how
    likely the text was to be drawn.
    """

    sample: int
    token: ChosenToken
    stop_reason: StopReason | None = None
    score: float | None = None
    inclusion_probability: float | None = None


class Choices(NamedTuple):
    """What the sequences go on with; none ends the request.

    `emitted` are the samples' tokens that have become final, if the strategy emits them.
    """

    choices: Sequence[Choice]
    emitted: Sequence[SampleToken] = ()


class Draw(NamedTuple):
    """How C++ draws one row's token, in one call with those of other requests.

    `raw` is a copy of the model's row where its log-probabilities are to be reported, with
    `num_top` alternatives.
    """

    chain: FusedChain
    uniform: float
    raw: Logits | None
    num_top: int

    def token(self, token_id: int) -> ChosenToken:
        """The token drawn, and what is reported of it."""
        if self.raw is None:
            return ChosenToken(token_id)
        return ChosenToken(token_id, {"raw": report(self.raw, token_id, self.num_top)})


class StatesNeeded(NamedTuple):
    """States inside the model that a strategy looks at: hidden ones, and layers' early logits."""

    hidden: bool = False
    early_layers: tuple[int, ...] = ()


@dataclass(frozen=True)
class StrategyContext:
    """What a strategy may know of its request, beside the settings.

    Attributes:
        chain: what the chain of processors must know.
        num_prompt_tokens: length of the prompt.
        check_stop: why a sequence ends with its last token, the text's reasons included if the
            strategy emits.
        on_step: is called with a record of each step by a strategy that keeps records.
        num_layers: of the model, where the backend can tell of them.
        ties_embeddings: whether the model's output matrix is that of its embeddings.
    """

    chain: ChainContext
    num_prompt_tokens: int = 0
    check_stop: StopCheck = lambda history: None
    on_step: Callable[[Any], None] | None = None
    num_layers: int = 0
    ties_embeddings: bool = False

    @property
    def max_new_tokens(self) -> int:
        """Most tokens of a text behind its prompt; 0 where no length limits it."""
        return max(0, (self.chain.max_length or 0) - self.num_prompt_tokens)


class Strategy(ABC):
    """Decides, step by step, what the sequences of one request do.

    Attributes:
        generates: whether it ever answers with a choice, so that sequences grow.
        emits: whether the samples' tokens are those that it emits. If not, each sequence is a
            sample, and its tokens are those that it grows by.
        verifies: whether drafts may be computed ahead of its sequences. It is then asked several
            times in a step: of all sequences first, and again of those whose draft was drawn, in
            their order, with the row behind that draft. To these it answers with a token or more
            for each, in order. It must not depend on what the sequences do beside each other.
        foresight: what it knows of the tokens to come.
        counted_by: the setting that determines the number of sequences.
        needs_states: the setting for which it looks inside the model, if it does.
        states: what it looks at there.
    """

    generates: bool = True
    emits: bool = False
    verifies: bool = False
    foresight: Foresight | None = None
    counted_by: str = "num_return_sequences"
    needs_states: str = ""
    states: StatesNeeded | None = None

    def num_sequences(self, config: GenerationConfig) -> int:
        """Sequences that it comes to hold at most, each with a row of the batch and KV blocks."""
        return config.num_return_sequences

    def see(  # noqa: B027 - few look inside
        self, history: History, start: int, hidden: Logits, early: Logits
    ) -> None:
        """Take the states that it needs, before the step in which the sequence's row comes.

        They are valid until this returns.

        Args:
            history: whose they are.
            start: the first position of `hidden`. A position may come again, with the same state.
            hidden: `(positions, width)`; empty if none are needed.
            early: `(layers, vocab_size)`, of the last token; empty if it was not computed.
        """

    @abstractmethod
    def step(self, rows: Sequence[Logits], histories: Sequence[History]) -> Choices | list[Draw]:
        """Answer for the rows of live sequences, which are the strategy's to overwrite.

        They are those of all live sequences, unless it `verifies`.

        Each row is `(vocab_size,)`. Further choices of the same parent fork it, and get the next
        numbers in the order in which they come. A list has a draw for each row: every sequence
        goes on with the token drawn.
        """


class ConfiguredStrategy(Strategy):
    """A strategy that settings can ask for: `STRATEGIES` lists them.

    What a request needs is asked of the class, before there is a strategy.
    """

    @staticmethod
    def num_sequences(config: GenerationConfig) -> int:
        """Sequences that it comes to hold at most; one a sample if it does not say."""
        return config.num_return_sequences

    @abstractmethod
    def __init__(self, config: GenerationConfig, context: StrategyContext) -> None:
        """Make one for a request; ConfigError if its settings cannot be followed."""

    @staticmethod
    def check(config: GenerationConfig, max_new_tokens: int) -> None:
        """Raise ConfigError if its settings cannot be followed in so many tokens."""

    @staticmethod
    @abstractmethod
    def suits(config: GenerationConfig, *, is_guided: bool) -> bool:
        """Whether these settings ask for it; `is_guided` if a negative prompt is given."""


StrategyKind = Strategy | type[ConfiguredStrategy]
"""Who says what a request needs: its own strategy, or the class of which one will be made."""
