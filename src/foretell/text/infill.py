"""Filling a gap: what comes before and after it, between tokens that a model was trained with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretell.errors import RequestError
from foretell.text.infill_marks import InfillMarks
from foretell.utils.surrogates import has_surrogate

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

NO_MARKS = (
    "this model has no tokens for a gap: must have such as <|fim_prefix|>, <|fim_suffix|> and "
    "<|fim_middle|>"
)


def infill_ids(tokenizer: Tokenizer, prefix: str, suffix: str) -> list[int]:
    """The prompt for what stands between two texts; nothing in them counts as a control token.

    RequestError if the model has no tokens for it, or a text is none.
    """
    marks = require_marks(tokenizer)
    for name, text in (("prefix", prefix), ("suffix", suffix)):
        if not isinstance(text, str) or has_surrogate(text):
            raise RequestError(f"{name} must be a text, without lone surrogates")
    before = [marks.prefix, *tokenizer.encode(prefix, add_special_tokens=False)]
    after = tokenizer.encode(suffix, add_special_tokens=False, continuation=True)
    after = [marks.suffix, *after]
    start = tokenizer.encode("")
    if marks.middle is None:
        return [*start, *after, *before]
    return [*start, *before, *after, marks.middle]


def require_marks(tokenizer: Tokenizer) -> InfillMarks:
    """The model's tokens around a gap; RequestError if it has none."""
    marks = tokenizer.infill_marks
    if marks is None:
        raise RequestError(NO_MARKS)
    return marks
