"""Beam search by transformers' earlier rules, which diverse and constrained beams have kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from foretell.decoding.processors.base import History
from foretell.decoding.strategies.beam_records import Candidate, Hypothesis, SearchEnd
from foretell.decoding.strategies.beam_search import BeamSearch, Decision, Reasons
from foretell.outputs import StopReason
from foretell.utils.arrays import Logits


class Kept(NamedTuple):
    """What of a step's candidates goes on.

    Attributes:
        best: what goes on, or would but for a limit, in the order of the next live beams.
        others: what was looked at beside the candidates, and why it ends, if it does.
        stopped: what has ended by itself, beside the first candidates.
    """

    best: Sequence[Candidate]
    others: Reasons
    stopped: Sequence[Candidate]


class ScoredSearch(BeamSearch):
    """A search that counts what stands at the length limit last of all.

    A continuation that has reached a limit is kept among the best that go on, and is a hypothesis
    only if the search does not end with the step. Whether it does is judged by the best candidate,
    be it one that ends itself. So it was in transformers up to 4.56, in its `BeamSearchScorer`.

    Attributes:
        said: the tokens of what was kept in the last step, be it at a limit.
    """

    said: Sequence[int] = ()

    def _decide(
        self,
        rows: Sequence[Logits],
        histories: Sequence[History],
        raw: Sequence[Logits] | None,
    ) -> Decision:
        candidates = self._candidates(rows, len(histories[0].tokens))
        found = self._reasons(candidates, histories)
        first = [one for one in candidates[: self._num_beams] if stops(found[one])]
        best = [one for one, reason in found.items() if not stops(reason)][: self._num_beams]
        kept = self._keep(best, found, rows, histories)
        reasons = {**found, **kept.others}
        self.said = [one.token_id for one in kept.best]
        made = self._finish([*first, *kept.stopped], reasons, raw)
        going_on = [one for one in kept.best if reasons[one] is None]
        end: SearchEnd | None = "exhausted"
        if candidates:
            end = self._finished.end(candidates[0].total, self._length)
        if candidates and end is None:
            limited = [one for one in kept.best if reasons[one] is not None]
            made |= self._finish_last(limited, reasons, raw)
            end = None if going_on else "exhausted"
        return Decision(reasons, made, going_on, end)

    def _reasons(self, candidates: Sequence[Candidate], histories: Sequence[History]) -> Reasons:
        """Why candidates end, at least of the first ones and of those that are kept."""
        return {one: self._reason(one, histories) for one in candidates}

    def _keep(
        self,
        best: Sequence[Candidate],
        reasons: Reasons,
        rows: Sequence[Logits],
        histories: Sequence[History],
    ) -> Kept:
        """What goes on: of the candidates the `best` that do not stop."""
        return Kept(best, {}, ())

    def _finish(
        self, ended: Sequence[Candidate], reasons: Reasons, raw: Sequence[Logits] | None
    ) -> dict[Candidate, Hypothesis]:
        """Make hypotheses of candidates that have ended."""
        return {
            one: self._finished.add(self._node(one, raw), reason)
            for one in ended
            if (reason := reasons[one]) is not None
        }

    def _finish_last(
        self, limited: Sequence[Candidate], reasons: Reasons, raw: Sequence[Logits] | None
    ) -> dict[Candidate, Hypothesis]:
        """Make hypotheses of what has reached a limit, in a search that goes on to there."""
        return self._finish(limited, reasons, raw)


def stops(reason: StopReason | None) -> bool:
    """Whether a text has ended by itself, and not at a limit."""
    return reason is not None and reason.finish_reason == "stop"
