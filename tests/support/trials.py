"""Toy models for the reports of other engines' users: what they choose is known beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.backends.scripted import ScriptedBackend, recite
from foretell.llm import LLM
from support.toy import VOCAB_SIZE, toy_llm, toy_tokenizer

UNLIKELY = -12.0


def id_of(text: str) -> int:
    """The id of a text that is one token."""
    (found,) = toy_tokenizer().encode(text, add_special_tokens=False, parse_special=True)
    return found


def ids_of(text: str) -> list[int]:
    """The ids of a text, the names of control tokens read as such."""
    return toy_tokenizer().encode(text, add_special_tokens=False, parse_special=True)


def row_of(logits: dict[str, float], others: float = UNLIKELY) -> NDArray[np.float32]:
    """A row of logits that gives these tokens these logits."""
    row = np.full(VOCAB_SIZE, others, dtype=np.float32)
    for text, logit in logits.items():
        row[id_of(text)] = logit
    return row


def steady_llm(logits: dict[str, float], others: float = UNLIKELY, **sizes: Any) -> LLM:
    """An LLM that gives the same logits at every step."""
    row = row_of(logits, others)
    return toy_llm(lambda history: row.copy(), **sizes)


def writing_llm(text: str) -> LLM:
    """An LLM that goes on with this text, in which the names of control tokens are tokens."""
    script = recite(ids_of(text), vocab_size=VOCAB_SIZE)
    return LLM(ScriptedBackend(script, vocab_size=VOCAB_SIZE), tokenizer=toy_tokenizer())


def softmax(row: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities of a row of logits, in float64."""
    weights = np.exp(np.asarray(row, np.float64) - np.max(row))
    return weights / weights.sum()
