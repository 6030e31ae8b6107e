"""`/tokenize`, `/detokenize` and `/tokenizer_info`, in vLLM's form."""

from __future__ import annotations

import asyncio
from typing import Any

from foretell.server.errors import invalid, wrong
from foretell.server.frames import dumps_long
from foretell.server.prompts import conversation
from foretell.server.sorting import Fields
from foretell.server.state import ServerState
from foretell.server.values import checked, flag


async def tokenize(fields: Fields, state: ServerState) -> bytes:
    """The token ids of a text or of a conversation; ApiError if it is neither."""
    return await asyncio.to_thread(lambda: dumps_long(_tokenized(fields, state)))


def _tokenized(fields: Fields, state: ServerState) -> dict[str, Any]:
    own, token_ids = fields.own, _ids(fields, state)
    answer: dict[str, Any] = {
        "count": len(token_ids),
        "max_model_len": state.llm.info.context_length,
        "tokens": token_ids,
    }
    if flag(own, "return_token_strs"):
        tokenizer = state.llm.tokenizer
        answer["token_strs"] = [tokenizer.display([one]) for one in token_ids]
    return answer


def _ids(fields: Fields, state: ServerState) -> list[int]:
    own, tokenizer = fields.own, state.llm.tokenizer
    how = {name: flag(own, name, default=True) for name in ("add_special_tokens", "parse_special")}
    if "messages" in own:
        return conversation(fields, tokenizer)()
    prompt = own.get("prompt")
    if not isinstance(prompt, str):
        raise wrong("prompt", prompt, "a text")
    return tokenizer.encode(prompt, **how)


async def detokenize(fields: Fields, state: ServerState) -> bytes:
    """The text of token ids; ApiError if they are none."""
    return await asyncio.to_thread(lambda: dumps_long(_detokenized(fields, state)))


def _detokenized(fields: Fields, state: ServerState) -> dict[str, Any]:
    own, tokenizer = fields.own, state.llm.tokenizer
    ids = checked(own, "tokens", list, None)
    last = tokenizer.vocab_size - 1
    if ids is None or not all(type(one) is int and 0 <= one <= last for one in ids):
        told = "tokens is missing:" if ids is None else "tokens"
        raise invalid(f"{told} must be a list of token ids from 0 to {last}", "tokens")
    skips = flag(own, "skip_special_tokens")
    return {"prompt": tokenizer.decode(ids, skip_special_tokens=skips)}


def tokenizer_info(state: ServerState) -> dict[str, Any]:
    """What a client must know of the tokenizer that it does not have."""
    tokenizer = state.llm.tokenizer
    return {
        "tokenizer_class": type(tokenizer).__name__,
        "vocab_size": tokenizer.vocab_size,
        "model_max_length": state.llm.info.context_length,
        "add_bos_token": tokenizer.adds_bos,
        "eos_token": None,
        "bos_token": None,
        "pad_token": None,
        **tokenizer.special_tokens,
        "chat_template": tokenizer.chat_template,
    }
