"""Keeps the logits and the scores that a caller wants returned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.backends.base import BackendInfo
from foretell.config import GenerationConfig
from foretell.decoding.processors.base import History
from foretell.decoding.strategies.base import Choices, Draw, Strategy
from foretell.engine.request import Request
from foretell.engine.request_state import make_strategy
from foretell.utils.arrays import Logits
from foretell.utils.tensors import Arrays

Rows = dict[int, Logits]


class Record:
    """What one prompt's sequences were chosen from, step by step.

    A line is a sample's number, or a live beam's index.

    Attributes:
        logits: the model's rows of each step, by line.
        scores: the same after all processors.
    """

    def __init__(self, num_lines: int, *, has_beams: bool, num_groups: int = 1) -> None:
        self.logits: list[Rows] = []
        self.scores: list[Rows] = []
        self._num_lines = num_lines
        self._has_beams = has_beams
        self._group_size = num_lines // num_groups
        self._lines: list[Sequence[int]] = []  # of the rows that are chosen from, at each step
        self._beams: list[dict[int, list[int]]] = []  # the live beams' tokens at each step

    @property
    def num_steps(self) -> int:
        """Steps in which something was chosen."""
        return len(self._beams)

    def begin(self, histories: Sequence[History], lines: Sequence[int] | None) -> None:
        """A step has come; `lines` are those of a search's beams.

        Groups of beams begin with a line each, all with the prompt.
        """
        lines = range(len(histories)) if lines is None else lines
        tokens = [[*one.tokens[one.num_prompt_tokens :]] for one in histories]
        self._lines.append(lines)
        self._beams.append(dict(zip(lines, tokens * (len(lines) // len(tokens)), strict=True)))
        self.logits.append({})
        self.scores.append({})

    def keep_logits(self, rows: Sequence[Logits], histories: Sequence[History]) -> None:
        """Keep the rows of the model."""
        self.logits[-1] = {
            self._line(index, history): row.copy()
            for index, (row, history) in enumerate(zip(rows, histories, strict=True))
        }

    def keep_scores(self, row: Logits, history: History) -> None:
        """Keep a row after all processors; a step's rows come in their order."""
        self.scores[-1][self._line(len(self.scores[-1]), history)] = row.copy()

    def _line(self, index: int, history: History) -> int:
        return self._lines[-1][index] if self._has_beams else history.index

    def table(self, rows: Rows, vocab_size: int) -> NDArray[np.float32]:
        """One step of all lines, `(num_lines, vocab_size)`; zeros where a line has ended."""
        table = np.zeros((self._num_lines, vocab_size), dtype=np.float32)
        for line, row in rows.items():
            table[line] = row
        return table

    def scores_so_far(self, lines: Sequence[int] | None, arrays: Arrays) -> tuple[Any, ...]:
        """The scores so far of these lines, or of all, step by step."""
        tables = []
        for rows in self.scores:
            only = rows if lines is None else {line: rows.get(line, rows[0]) for line in lines}
            tables.append(arrays.floats(np.stack([*only.values()])))
        return tuple(tables)

    def spread(self) -> None:
        """Give the first step's only rows to all lines, or to all of their group."""
        for steps in (self.logits, self.scores):
            if steps and steps[0] and (self._has_beams or len(steps[0]) == 1):
                first = steps[0]
                steps[0] = {
                    line: first[max(known for known in first if known <= line)]
                    for line in range(self._num_lines)
                }

    def beam_path(self, tokens: Sequence[int]) -> list[int]:
        """The line of the live beam that each of a text's tokens was chosen from."""
        for first in range(0, self._num_lines, self._group_size):
            path = [*self._path(tokens, range(first, first + self._group_size))]
            if len(path) == len(tokens):
                break
        return path

    def _path(self, tokens: Sequence[int], group: range) -> Iterator[int]:
        """The same, as far as the text is one of this group of lines."""
        for step, beams in zip(range(len(tokens)), self._beams, strict=False):
            found = [line for line in group if beams.get(line) == [*tokens[:step]]]
            if not found:
                return
            yield found[0]


class RecordingStrategy(Strategy):
    """A strategy whose rows are kept on the way."""

    def __init__(self, inner: Strategy, record: Record, *, is_guided: bool, logits: bool) -> None:
        self.generates, self.emits, self.counted_by = inner.generates, inner.emits, inner.counted_by
        self._inner = inner
        self._record = record
        self._stride = 2 if is_guided else 1  # negative prompts' rows lie between
        self._keeps_logits = logits

    def num_sequences(self, config: GenerationConfig) -> int:
        """Those of the strategy within."""
        return self._inner.num_sequences(config)

    def step(self, rows: Sequence[Logits], histories: Sequence[History]) -> Choices | list[Draw]:
        """Keep the rows, and let the strategy within choose."""
        seen = histories[:: self._stride]
        self._record.begin(seen, getattr(self._inner, "lines", None))
        if self._keeps_logits:
            self._record.keep_logits(rows[:: self._stride], seen)
        return self._inner.step(rows, histories)


def record_rows(request: Request, info: BackendInfo, record: Record, *, logits: bool) -> Request:
    """The same request, its rows kept in `record`."""
    inner = make_strategy(request, info)
    is_guided = request.negative_prompt is not None
    strategy = RecordingStrategy(inner, record, is_guided=is_guided, logits=logits)
    return replace(request, strategy=strategy)
