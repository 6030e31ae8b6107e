"""A toy model for tests: a scripted backend, and a byte-level tokenizer with a few merges."""

from __future__ import annotations

from typing import Any

from tokenizers.pre_tokenizers import ByteLevel

from foretell.backends.scripted import Script, ScriptedBackend, improvise
from foretell.engine.engine import Engine
from foretell.llm import LLM
from foretell.text.tokenizer import Tokenizer

MERGES = ["Ġ c", "Ġc a", "Ġca t", "t h", "th e"]  # so " cat" and "the" are one token each
BYTES = sorted(ByteLevel.alphabet())
TOKENS = [*BYTES, *(merge.replace(" ", "") for merge in MERGES), "<|start|>", "<|end|>"]
VOCAB_SIZE = len(TOKENS)
BOS = VOCAB_SIZE - 2
EOS = VOCAB_SIZE - 1


def toy_metadata(*, adds_bos: bool = False) -> dict[str, Any]:
    """What a GGUF file would say of the toy tokenizer."""
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.token_type": [1] * (VOCAB_SIZE - 2) + [3, 3],
        "tokenizer.ggml.merges": MERGES,
        "tokenizer.ggml.bos_token_id": BOS,
        "tokenizer.ggml.eos_token_id": EOS,
        "tokenizer.ggml.add_bos_token": adds_bos,
    }


def toy_tokenizer(*, adds_bos: bool = False) -> Tokenizer:
    return Tokenizer.from_gguf(toy_metadata(adds_bos=adds_bos), source="toy")


def toy_llm(script: Script | None = None, *, adds_bos: bool = False, **sizes: int) -> LLM:
    """An LLM that recites `script`, or improvises."""
    backend = ScriptedBackend(script or improvise(VOCAB_SIZE), vocab_size=VOCAB_SIZE, **sizes)
    return LLM(backend, tokenizer=toy_tokenizer(adds_bos=adds_bos))


def engine_of(llm: LLM) -> Engine:
    """What runs an LLM's requests, to look at; RequestError once it is closed."""
    return llm._require_open().engine


def reciting_llm(*texts: str, **sizes: int) -> LLM:
    """An LLM that goes on with the text of which the prompt is the beginning, and then ends."""
    from foretell.backends.scripted import recite

    tokenizer = toy_tokenizer()
    lines = [[*tokenizer.encode(text), EOS] for text in texts]
    return toy_llm(recite(*lines, vocab_size=VOCAB_SIZE), **sizes)
