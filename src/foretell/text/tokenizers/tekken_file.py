"""A `tekken.json`: Mistral's file of a byte-level vocabulary, in the words of GGUF metadata.

It numbers byte strings by rank: of two neighbours whose join has a rank, those with the lowest are
merged first (as tiktoken does). Special tokens come before them.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.text.tokenizers.byte_level import byte_alphabet
from foretell.text.tokenizers.pretokenizers import TEKKEN
from foretell.text.tokenizers.vocabulary import MAX_TOKEN_LENGTH, MAX_TOKENS, TokenType
from foretell.utils.quoting import quote

OLDER_SPECIAL_TOKENS = (
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
    *("[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]"),
    *("[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
    "[TOOL_CONTENT]",
)
"""Those of files that list none."""

MAX_SPECIAL = 2**16  # most of which no file lists: published ones have a thousand

_ROLES = {"<unk>": "unknown", "<s>": "bos", "</s>": "eos", "<pad>": "padding"}


def read_tekken(spec: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The metadata that GGUF's specification has for such a tokenizer.

    Args:
        spec: the file's content.
        source: its name, for messages.

    Raises:
        ModelFileError: it is damaged.
        UnsupportedModelError: it cuts texts in another way than is known here.
    """
    config = spec.get("config")
    if not isinstance(config, dict):
        raise ModelFileError(f"{source} has no config: must have one")
    if config.get("pattern") != TEKKEN:
        raise UnsupportedModelError(
            f"{source} cuts texts by {quote(config.get('pattern'))}: must be Mistral's pattern"
        )
    special = _special_tokens(spec, config, source)
    size = _number(config, "default_vocab_size", source, MAX_TOKENS) - len(special)
    ranked = _ranked(spec.get("vocab"), size, source)
    tokens = [*special, *(_spell(one) for one in ranked)]
    normal = [int(TokenType.NORMAL)] * len(ranked)
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "tekken",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [*special.values(), *normal],
        "tokenizer.ggml.merges": _merges(ranked),
        "tokenizer.ggml.add_bos_token": "<s>" in special,
        **{
            f"tokenizer.ggml.{role}_token_id": tokens.index(name)
            for name, role in _ROLES.items()
            if name in special
        },
    }


def _number(config: Mapping[str, Any], key: str, source: str, most: int) -> int:
    value = config.get(key)
    if type(value) is not int or not 0 < value <= most:
        raise ModelFileError(f"{source}: {key} is {quote(value)}: must be 1 to {most}")
    return value


def _special_tokens(
    spec: Mapping[str, Any], config: Mapping[str, Any], source: str
) -> dict[str, int]:
    """Each special token's type, by its name, in order of their ids."""
    count = _number(config, "default_num_special_tokens", source, MAX_SPECIAL)
    stated = spec.get("special_tokens")
    entries = [{"token_str": name} for name in OLDER_SPECIAL_TOKENS] if stated is None else stated
    found: dict[str, int] = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else [entries]):
        name = entry.get("token_str") if isinstance(entry, dict) else None
        if not isinstance(name, str) or entry.get("rank", index) != index or name in found:
            raise ModelFileError(
                f"{source}: special_tokens[{index}] is {quote(entry)}: must have a name of its own "
                f"and rank {index}"
            )
        is_control = entry.get("is_control", True) is not False
        found[name] = int(TokenType.CONTROL if is_control else TokenType.USER_DEFINED)
    spare = {f"<SPECIAL_{index}>": int(TokenType.CONTROL) for index in range(len(found), count)}
    return found | spare


def _ranked(vocab: object, size: int, source: str) -> list[bytes]:
    """The first `size` byte strings, by rank."""
    entries: Sequence[Any] = vocab if isinstance(vocab, list) else []
    if not 256 <= size <= len(entries):
        raise ModelFileError(
            f"{source} lists {len(entries)} tokens, and asks for {size} of them: must have as "
            "many, the 256 bytes among them"
        )
    ranked = [_bytes_of(entry, rank, source) for rank, entry in enumerate(entries[:size])]
    if len(set(ranked)) < size or {one for one in ranked if len(one) == 1} != _SINGLE:
        raise ModelFileError(f"{source}: vocab has a token twice, or lacks a byte: must have each")
    return ranked


_SINGLE = {bytes([byte]) for byte in range(256)}


def _bytes_of(entry: Any, rank: int, source: str) -> bytes:
    try:
        value = b64decode(entry["token_bytes"], validate=True)
        if entry["rank"] == rank and 0 < len(value) <= MAX_TOKEN_LENGTH:
            return value
    except (KeyError, TypeError, ValueError):
        pass
    raise ModelFileError(
        f"{source}: vocab[{rank}] is {quote(entry)}: must have rank {rank}, and token_bytes in "
        "base 64"
    )


_ALPHABET = byte_alphabet()


def _spell(token: bytes) -> str:
    return "".join([_ALPHABET[byte] for byte in token])


def _merges(ranked: Sequence[bytes]) -> list[str]:
    """Every pair of tokens whose join is one, the lowest rank of the join first."""
    known = set(ranked)
    found = []
    for token in ranked:
        for cut in range(1, len(token)):
            left, right = token[:cut], token[cut:]
            if left in known and right in known:
                found.append(f"{_spell(left)} {_spell(right)}")
    return found
