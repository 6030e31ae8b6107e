"""Texts that are too long for a model whatever their tokens are: they are not cut into these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretell.errors import ContextLengthError
from foretell.utils.display import count

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

CHEAP_TEXT = 2**16
"""Characters. They are encoded in 0.1 s, and then the tokens can be told exactly."""


def check_length(name: str, text: str, tokenizer: Tokenizer, context_length: int | None) -> None:
    """Raise ContextLengthError for a text that is too long whatever its tokens are.

    Args:
        name: of the text, in the message.
        text: what is to be encoded.
        tokenizer: that is to do it.
        context_length: most tokens; None: any number.
    """
    if context_length is None or len(text) <= CHEAP_TEXT:
        return
    least = tokenizer.min_tokens(text)
    if least > context_length:
        raise ContextLengthError(
            f"{name} of {count(len(text), 'character')}: at least {count(least, 'token')}, but the "
            f"context has {context_length}"
        )
