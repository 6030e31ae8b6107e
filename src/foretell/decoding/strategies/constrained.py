"""Constrained beams: texts that must have certain words, wherever they come."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from foretell.config import GenerationConfig
from foretell.decoding.processors.base import History
from foretell.decoding.processors.builders import texts_left
from foretell.decoding.strategies.base import StrategyContext
from foretell.decoding.strategies.beam import Search, SearchStrategy
from foretell.decoding.strategies.beam_records import Candidate, Hypothesis, Node
from foretell.decoding.strategies.beam_search import Decision, Reasons
from foretell.decoding.strategies.forced_words import ForcedWords, Progress
from foretell.decoding.strategies.scored_search import Kept, ScoredSearch, stops
from foretell.errors import ConfigError
from foretell.outputs import StopReason
from foretell.utils.arrays import Logits
from foretell.utils.display import count


class ConstrainedStrategy(SearchStrategy):
    """Constrained beam search by banks (Post & Vilar 2018, arXiv 1804.06609), as in transformers.

    Beams that are equally far with the words of `force_words` are a bank. In each step what brings
    a beam further is looked at too, however unlikely, and the banks take turns: the best of the
    furthest bank is kept first, then the best of the next, and so on.
    """

    @staticmethod
    def suits(config: GenerationConfig, *, is_guided: bool) -> bool:
        """With words that the text must have."""
        return bool(config.force_words)

    @staticmethod
    def check(config: GenerationConfig, max_new_tokens: int) -> None:
        """Raise ConfigError where so few tokens have no room for the words."""
        words = words_of(config)
        least = words.least(words.start)
        if least > max_new_tokens:
            raise ConfigError(
                f"force_words takes {count(least, 'token')} at least, but there is room for "
                f"{max_new_tokens}: raise max_new_tokens, or have fewer words"
            )

    def make_search(self, config: GenerationConfig, context: StrategyContext) -> Search:
        """One search, which looks for the words among what is generated."""
        return ConstrainedSearch(config, context)

    def too_few(self, number: int) -> str:
        """Says that only so many texts with all words were found."""
        return (
            f"{super().too_few(number)} with all of force_words: raise num_beams or "
            f"max_new_tokens, or have fewer words"
        )


class ConstrainedSearch(ScoredSearch):
    """The search for one prompt, whose hypotheses have all words.

    Against transformers', a beam with all words goes on with its likeliest token at least, as in
    the paper, and what cannot have all words in the tokens that are left is not kept. So a text
    with all words is found wherever there may be one.

    Arguments are those of `BeamSearch`; `as_released` is transformers' search as it was (4.56): the
    prompt counts, and where too few have all words at the length limit, other texts are returned.
    """

    def __init__(
        self, config: GenerationConfig, context: StrategyContext, *, as_released: bool = False
    ) -> None:
        super().__init__(config, context)
        self._words = words_of(config)
        self._progress: dict[Node | None, Progress] = {None: self._words.start}
        self._most = context.max_new_tokens
        self._as_released = as_released

    def _decide(
        self,
        rows: Sequence[Logits],
        histories: Sequence[History],
        raw: Sequence[Logits] | None,
    ) -> Decision:
        if self._as_released and self.live == [None]:
            self._progress = {None: self._words.after_all(histories[0].tokens)}
        self._progress = {node: self._progress_of(node) for node in self.live}
        return super()._decide(rows, histories, raw)

    def _progress_of(self, node: Node | None) -> Progress:
        """How far a live beam has come, whose parent was live in the step before."""
        if node is None:
            return self._progress[None]
        return self._words.after(self._progress[node.parent], node.token_id)

    def _candidates(self, rows: Sequence[Logits], position: int) -> list[Candidate]:
        return [*map(self._with_bank, super()._candidates(rows, position))]

    def _with_bank(self, candidate: Candidate) -> Candidate:
        return replace(candidate, bank=self._words.bank(self._after(candidate)))

    def _after(self, candidate: Candidate) -> Progress:
        return self._words.after(self._progress[self.live[candidate.parent]], candidate.token_id)

    def _keep(
        self,
        best: Sequence[Candidate],
        reasons: Reasons,
        rows: Sequence[Logits],
        histories: Sequence[History],
    ) -> Kept:
        """The banks take turns, what brings a beam further beside the best."""
        best = [one for one in reasons if not stops(reasons[one]) and self._fits(one)]
        pool = dict.fromkeys(best[: self._num_beams])
        size = len(pool)
        first = {*[*reasons][: self._num_beams]}
        others: dict[Candidate, StopReason | None] = {}
        stopped = []
        for one in self._forced(rows, reasons):
            reason = reasons[one] if one in reasons else self._reason(one, histories)
            if one not in reasons:
                others[one] = reason
            if stops(reason):
                stopped += [one] if one not in first else []
            elif self._fits(one):
                pool[one] = None
        kept = [*pool] if len(pool) == size else _by_turns([*pool])[: self._num_beams]
        return Kept(kept, others, stopped)

    def _fits(self, candidate: Candidate) -> bool:
        """Whether the candidate may yet have all words."""
        left = self._most - self._length
        return self._as_released or self._words.least(self._after(candidate)) <= left

    def _forced(self, rows: Sequence[Logits], known: Iterable[Candidate]) -> Iterator[Candidate]:
        """What brings live beams further, where it is possible: a known candidate, or another."""
        places = {(one.parent, one.token_id): one for one in known}
        for parent, (node, row) in enumerate(zip(self.live, rows, strict=True)):
            for token_id in self._next_tokens(self._progress[node], row):
                one = places.get((parent, token_id))
                if one is None:
                    before, logprob = 0.0 if node is None else node.total, float(row[token_id])
                    one = Candidate(parent, token_id, logprob, before, is_forced=True)
                    one = self._with_bank(one)
                if one.logprob > -math.inf:
                    yield one

    def _next_tokens(self, progress: Progress, row: Logits) -> list[int]:
        """The next tokens of the words, or behind all of them the likeliest one."""
        if progress.is_complete:
            return [] if self._as_released else [int(row.argmax())]
        found = self._words.next_tokens(progress)
        return found if len(found) <= self._num_beams else self._likeliest(found, progress, row)

    def _likeliest(self, tokens: Sequence[int], progress: Progress, row: Logits) -> list[int]:
        """Of each bank as many tokens as there are beams: no more of them can be kept."""
        counts: Counter[int] = Counter()
        found = []
        for token_id in sorted(tokens, key=lambda one: -row[one]):
            bank = self._words.bank(self._words.after(progress, token_id))
            counts[bank] += 1
            if counts[bank] <= self._num_beams:
                found.append(token_id)
        return found

    def _finish(
        self, ended: Sequence[Candidate], reasons: Reasons, raw: Sequence[Logits] | None
    ) -> dict[Candidate, Hypothesis]:
        complete = [one for one in ended if self._after(one).is_complete]
        return super()._finish(complete, reasons, raw)

    def _finish_last(
        self, limited: Sequence[Candidate], reasons: Reasons, raw: Sequence[Logits] | None
    ) -> dict[Candidate, Hypothesis]:
        made = self._finish(limited, reasons, raw)
        if self._as_released and len(made) < self._config.num_return_sequences:
            made |= super()._finish([one for one in limited if one not in made], reasons, raw)
        return made


def words_of(config: GenerationConfig) -> ForcedWords:
    """The words of the settings, in ids; ConfigError if they are still texts."""
    words = [[*word] for word in config.force_words or ()]
    if any(isinstance(one, str) for word in words for one in word):
        raise texts_left("force_words")
    return ForcedWords(words)


def _by_turns(pool: Sequence[Candidate]) -> list[Candidate]:
    """The best of each bank, the furthest first, then the second best of each, and so on.

    transformers sorts by 100 · bank + sum, which is the same unless sums are 100 apart.
    """
    places: Counter[int | None] = Counter()
    turns = []
    for one in sorted(pool, key=lambda one: (-(one.bank or 0), -one.total)):
        turns.append((places[one.bank], one))
        places[one.bank] += 1
    return [one for _, one in sorted(turns, key=lambda turn: turn[0])]
