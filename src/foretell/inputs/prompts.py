"""What counts as a prompt: text or token ids."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from foretell.errors import RequestError

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

Prompt = str | Sequence[int]
Prompts = Prompt | Sequence[Prompt]


def is_batch(prompt: Any) -> TypeGuard[Sequence[Any]]:
    """Whether this is a list of prompts rather than one prompt; an empty list is one of none."""
    if not isinstance(prompt, (list, tuple)):
        return False
    return not prompt or any(issubclass(kind, (str, list, tuple)) for kind in {*map(type, prompt)})


def read_prompt(
    prompt: Prompt, tokenizer: Tokenizer, *, parse_special: bool
) -> tuple[str, list[int]]:
    """The prompt as text and as ids; RequestError if it is neither text nor ids."""
    if isinstance(prompt, str):
        return prompt, tokenizer.encode(prompt, parse_special=parse_special)
    if isinstance(prompt, (bytes, bytearray)):
        raise _no_prompt(prompt)
    try:
        token_ids = [*map(operator.index, prompt)]
    except TypeError as error:
        raise _no_prompt(prompt) from error
    if not token_ids or min(token_ids) < 0 or max(token_ids) >= tokenizer.vocab_size:
        return "", token_ids  # the engine refuses these, with the numbers
    return tokenizer.decode(token_ids, skip_special_tokens=False), token_ids


def _no_prompt(prompt: object) -> RequestError:
    shown = repr(prompt) if len(repr(prompt)) <= 60 else repr(prompt)[:57] + "..."
    return RequestError(
        f"prompt={shown} must be a str, a list of token ids, or a list of such prompts"
    )
