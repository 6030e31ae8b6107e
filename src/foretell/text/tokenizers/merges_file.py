"""`vocab.json` and `merges.txt`: GPT-2's files of a byte-level vocabulary, in GGUF's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.text.tokenizers.vocabulary import MAX_TOKENS
from foretell.utils.quoting import quote

PRETOKENIZERS: Mapping[str | None, str] = {
    **dict.fromkeys((None, "GPT2Tokenizer", "GPT2TokenizerFast", "CodeGenTokenizer"), "gpt-2"),
    **dict.fromkeys(("Qwen2Tokenizer", "Qwen2TokenizerFast"), "qwen2"),
}
"""How each `tokenizer_class` cuts a text before it is merged: names of `pretokenizers.py`."""


def read_merges(
    vocab: Mapping[str, Any], merges: str, config: Mapping[str, Any], source: str
) -> dict[str, Any]:
    """The metadata that GGUF's specification has for such a tokenizer.

    Args:
        vocab: of `vocab.json`: ids by token.
        merges: the text of `merges.txt`, pairs in order of rank.
        config: of `tokenizer_config.json`.
        source: their name, for messages.

    Raises:
        ModelFileError: the ids are none.
        UnsupportedModelError: the tokenizer's class cuts texts in a way that is not known here.
    """
    name = config.get("tokenizer_class")
    if not isinstance(name, str | None) or name not in PRETOKENIZERS:
        raise UnsupportedModelError(
            f"{source}: tokenizer_class is {quote(name)}: must be one of "
            f"{', '.join(filter(None, PRETOKENIZERS))} where there is no tokenizer.json"
        )
    if config.get("add_prefix_space"):
        raise UnsupportedModelError(f"{source}: add_prefix_space is true: must be false")
    lines = merges.split("\n")
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": PRETOKENIZERS[name],
        "tokenizer.ggml.tokens": _tokens(vocab, source),
        "tokenizer.ggml.merges": [
            line for line in lines if line.strip() and not line.startswith("#version")
        ],
        "tokenizer.ggml.add_bos_token": False,
    }


def _tokens(vocab: Mapping[str, Any], source: str) -> list[str]:
    """The tokens by id; empty where no token has the id."""
    for token, index in vocab.items():
        if type(index) is not int or not 0 <= index < MAX_TOKENS:
            raise ModelFileError(
                f"{source}: {quote(token)} has id {quote(index)}: must be 0 to {MAX_TOKENS - 1}"
            )
    tokens = [""] * (max(vocab.values(), default=-1) + 1)
    for token, index in vocab.items():
        if tokens[index]:
            raise ModelFileError(
                f"{source}: {quote(token)} and {quote(tokens[index])} both have id {index}: ids "
                "must differ"
            )
        tokens[index] = token
    return tokens
