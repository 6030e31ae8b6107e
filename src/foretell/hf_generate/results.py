"""Texts in ids → what `generate` returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from foretell.hf_generate.recording import Record
from foretell.hf_generate.running import Text
from foretell.utils.tensors import Arrays


@dataclass(frozen=True)
class GenerateOutput:
    """What comes back with `return_dict_in_generate=True`.

    It is read as transformers' outputs are: by attribute, by name, by index among what there is.
    `past_key_values` or `cache`, `attentions` and `hidden_states` are not given.

    Attributes:
        sequences: ids, prompts included, `(batch * num_return_sequences, length)`.
        sequences_scores: what a beam search ranked each by, with `output_scores`.
        scores: for each step what was chosen from, after all processors, `(rows, vocab_size)`
            float32; of beams by the sum of whose log-probabilities they were chosen, the summand.
            The rows are those of `sequences`, or of all live beams. Zeros where a row has ended.
        logits: the same as the model gave it, with `output_logits`.
        beam_indices: for each generated token the row of `scores` that it was chosen from; -1 after
            a text's end.
    """

    sequences: Any
    sequences_scores: Any = None
    scores: tuple[Any, ...] | None = None
    logits: tuple[Any, ...] | None = None
    beam_indices: Any = None

    def keys(self) -> list[str]:
        """Names of what there is."""
        return [one.name for one in fields(self) if getattr(self, one.name) is not None]

    def to_tuple(self) -> tuple[Any, ...]:
        """What there is, without names."""
        return tuple(getattr(self, name) for name in self.keys())

    def __getitem__(self, key: str | int | slice) -> Any:
        if not isinstance(key, str):
            return self.to_tuple()[key]
        if key not in self.keys():
            raise KeyError(key)
        return getattr(self, key)

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())


def sequences_of(
    prompts: Sequence[list[int]], texts: Sequence[Text], filling: int | None, arrays: Arrays
) -> Any:
    """Prompts and texts, one after the other, filled on the right to one length."""
    length = max(len(text.tokens) for text in texts)
    return arrays.ids(
        [
            [*prompt, *text.tokens, *[filling] * (length - len(text.tokens))]
            for prompt, text in zip(prompts, texts, strict=True)
        ]
    )


def tables_of(
    records: Sequence[Record], kind: str, vocab_size: int, arrays: Arrays
) -> tuple[Any, ...]:
    """The rows of all records, step by step; `kind` is "logits" or "scores"."""
    empty: dict[int, Any] = {}
    tables = []
    for step in range(max(record.num_steps for record in records)):
        parts = []
        for record in records:
            steps = getattr(record, kind)
            rows = steps[step] if step < record.num_steps else empty
            parts.append(record.table(rows, vocab_size))
        tables.append(arrays.floats(np.concatenate(parts)))
    return tuple(tables)


def beam_indices_of(
    records: Sequence[Record], texts: Sequence[Text], num_beams: int, arrays: Arrays
) -> Any:
    """For each token the row that it was chosen from, among the live beams of all prompts."""
    num_samples = len(texts) // len(records)
    length = max(len(text.tokens) for text in texts)
    rows = []
    for index, text in enumerate(texts):
        prompt = index // num_samples
        path = records[prompt].beam_path(text.tokens)
        rows.append([prompt * num_beams + beam for beam in path] + [-1] * (length - len(path)))
    return arrays.indices(rows)
