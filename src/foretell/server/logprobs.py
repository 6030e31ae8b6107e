"""Log-probabilities in OpenAI's two forms: of chats, and of completions.

A log-probability is the same float wherever it is told. What is infinite, which JSON cannot say,
is -9999.0, as in vLLM.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from foretell.outputs import TokenLogprob

IMPOSSIBLE = -9999.0


def finite(logprob: float | None) -> float:
    """A log-probability as JSON can have it; what has none is as what is impossible."""
    return IMPOSSIBLE if logprob is None or logprob == -math.inf else logprob


def token_text(token: TokenLogprob) -> str:
    """A token's text; `bytes:\\xEA\\xB3` for bytes that are no text by themselves."""
    try:
        return token.bytes.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token.bytes)


def chat_logprobs(tokens: Iterable[TokenLogprob], num_top: int) -> dict[str, Any]:
    """`choices[].logprobs` of a chat."""
    return {"content": [_chat_token(token, num_top) for token in tokens], "refusal": None}


def _chat_token(token: TokenLogprob, num_top: int) -> dict[str, Any]:
    return {**_entry(token), "top_logprobs": [_entry(one) for one in token.top[:num_top]]}


def _entry(token: TokenLogprob) -> dict[str, Any]:
    data = list(token.bytes)
    return {"token": token_text(token), "logprob": finite(token.logprob), "bytes": data}


def completion_logprobs(
    tokens: Sequence[TokenLogprob], num_top: int, offset: int = 0
) -> dict[str, Any]:
    """`choices[].logprobs` of a completion.

    Args:
        tokens: the first of a prompt has no log-probability, nor alternatives: None.
        num_top: how many alternatives are told; the chosen token is always among them.
        offset: characters of text before the first token.
    """
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += num_characters(token.bytes)
    return {
        "tokens": [token_text(token) for token in tokens],
        "token_logprobs": [
            None if token.logprob is None else finite(token.logprob) for token in tokens
        ],
        "top_logprobs": [_alternatives(token, num_top) for token in tokens],
        "text_offset": offsets,
    }


def _alternatives(token: TokenLogprob, num_top: int) -> dict[str, float] | None:
    if token.logprob is None:
        return None
    found = {token_text(one): finite(one.logprob) for one in token.top[:num_top]}
    return {**found, token_text(token): finite(token.logprob)}


def logprobs_by_id(tokens: Iterable[TokenLogprob] | None) -> list[dict[str, Any] | None] | None:
    """vLLM's `prompt_logprobs`: for each prompt token the alternatives by their ids."""
    return None if tokens is None else [_by_id(token) for token in tokens]


def _by_id(token: TokenLogprob) -> dict[str, Any] | None:
    if token.logprob is None:
        return None
    told = {one.token_id: one for one in (*token.top, token)}
    return {
        str(one.token_id): {
            "logprob": finite(one.logprob),
            "rank": one.rank,
            "decoded_token": one.token,
        }
        for one in told.values()
    }


def num_characters(data: bytes) -> int:
    """Characters that begin in these bytes of UTF-8."""
    return sum(byte & 0xC0 != 0x80 for byte in data)
