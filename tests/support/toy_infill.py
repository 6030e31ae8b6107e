"""A toy model with tokens for a gap: it fills that between two texts, ends it, and would go on."""

from __future__ import annotations

from foretell.backends.scripted import ScriptedBackend, recite
from foretell.llm import LLM
from foretell.text.infill import infill_ids
from foretell.text.infill_marks import KINDS
from foretell.text.tokenizer import Tokenizer
from support.toy import TOKENS, toy_metadata

NAMES = [*filter(None, KINDS[0]), "<|file_sep|>"]
SIZE = len(TOKENS) + len(NAMES)
PREFIX, SUFFIX, GAP = "the ", " cat", "xyz"


def infill_tokenizer() -> Tokenizer:
    metadata = toy_metadata()
    metadata["tokenizer.ggml.tokens"] = [*TOKENS, *NAMES]
    metadata["tokenizer.ggml.token_type"] = [*metadata["tokenizer.ggml.token_type"], 3, 3, 3, 3]
    return Tokenizer.from_gguf(metadata, source="toy")


def infill_backend() -> ScriptedBackend:
    tokenizer = infill_tokenizer()
    line = infill_ids(tokenizer, PREFIX, SUFFIX)
    line += [*tokenizer.encode(GAP), SIZE - 1, *tokenizer.encode("more")]
    return ScriptedBackend(recite(line, vocab_size=SIZE), vocab_size=SIZE)


def infill_llm() -> LLM:
    return LLM(infill_backend(), tokenizer=infill_tokenizer())
