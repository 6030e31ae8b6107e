"""What counts as a prompt: text or token ids."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from foretell.config.plain import string, unpacked
from foretell.errors import RequestError
from foretell.text.length import check_length
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

Prompt = str | Sequence[int] | NDArray[np.integer[Any]]
Prompts = Prompt | Sequence[Prompt]

NOT_IDS = (bytes, bytearray, Mapping, Set)
"""Of no order, or of no ids."""


def is_batch(prompt: Any) -> TypeGuard[Sequence[Any]]:
    """Whether this is a list of prompts rather than one prompt; an empty list is one of none."""
    if not isinstance(prompt, (list, tuple)):
        return False
    examples = {type(one): one for one in prompt}  # ids may be many
    return not prompt or any(map(_is_several, examples.values()))


def _is_several(one: Any) -> bool:
    """Whether an element of a list is a prompt, rather than one of its ids."""
    return isinstance(one, (str, list, tuple)) or (hasattr(type(one), "ndim") and one.ndim > 0)


def read_prompt(
    prompt: Prompt,
    tokenizer: Tokenizer,
    *,
    parse_special: bool,
    context_length: int | None = None,
) -> tuple[str, list[int]]:
    """The prompt as text and as ids; RequestError if it is neither text nor ids.

    A text that begins with the beginning-of-sequence token, read as such, is not given a second
    one. One whose length alone says that it has more tokens than `context_length` is refused
    before any work.
    """
    text = string(prompt)
    if text is not None:
        check_length("a prompt", text, tokenizer, context_length)
        return text, _encode(text, tokenizer, parse_special=parse_special)
    token_ids = _token_ids(prompt)
    if token_ids is None:
        raise _no_prompt(prompt)
    if not token_ids or min(token_ids) < 0 or max(token_ids) >= tokenizer.vocab_size:
        return "", token_ids  # the engine refuses these, with the numbers
    return tokenizer.decode(token_ids, skip_special_tokens=False), token_ids


def _encode(text: str, tokenizer: Tokenizer, *, parse_special: bool) -> list[int]:
    ids = tokenizer.encode(text, parse_special=parse_special)
    is_doubled = tokenizer.adds_bos and ids[:2] == [tokenizer.bos_token_id] * 2
    return ids[1:] if is_doubled else ids


def _token_ids(prompt: Any) -> list[int] | None:
    """A prompt's ids; None if it is no list of such, or an array."""
    try:
        found = unpacked(prompt)
        if not isinstance(found, (list, tuple)) and isinstance(found, NOT_IDS):
            return None
        elements = [*found]
        return None if bool in {*map(type, elements)} else [*map(operator.index, elements)]
    except Exception:  # noqa: BLE001 TypeError, or whatever an object of the user's own raises
        return None


def _no_prompt(prompt: object) -> RequestError:
    if is_batch(prompt):
        return RequestError(f"prompt={quote(prompt)} is a list of prompts: must be one of them")
    return RequestError(
        f"prompt={quote(prompt)} must be a str, a list of token ids, or a list of such prompts"
    )
