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


def finite(logprob: float) -> float:
    """A log-probability as JSON can have it."""
    return logprob if logprob > -math.inf else IMPOSSIBLE


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
    logprob = finite(-math.inf if token.logprob is None else token.logprob)
    return {"token": token_text(token), "logprob": logprob, "bytes": list(token.bytes)}


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
    found = {token_text(one): finite(one.logprob or 0.0) for one in token.top[:num_top]}
    return {**found, token_text(token): finite(token.logprob)}


def num_characters(data: bytes) -> int:
    """Characters that begin in these bytes of UTF-8."""
    return sum(byte & 0xC0 != 0x80 for byte in data)
