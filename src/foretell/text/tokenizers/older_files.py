"""A folder's tokenizer where it has no `tokenizer.json`: the files that came before it.

`tekken.json`, `tokenizer.model`, or `vocab.json` with `merges.txt`, each told in the words of GGUF
metadata (as converters to GGUF do), so that one place checks them all. `added_tokens.json` and
`tokenizer_config.json` add tokens, and say which have a role.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.file_names import (
    ADDED_TOKENS,
    MERGES,
    SENTENCEPIECE,
    TEKKEN,
    TOKENIZER,
    TOKENIZER_CONFIG,
    VOCAB,
)
from foretell.formats.json import read_bytes, read_object, read_optional_object, read_text
from foretell.text.tokenizers.hf_files import MAX_TOKENIZER_BYTES, TokenizerFiles, read_settings
from foretell.text.tokenizers.merges_file import read_merges
from foretell.text.tokenizers.sentencepiece_file import read_sentencepiece
from foretell.text.tokenizers.tekken_file import read_tekken
from foretell.text.tokenizers.vocabulary import (
    MAX_TOKENS,
    MergedVocabulary,
    TokenType,
    read_vocabulary,
)
from foretell.utils.quoting import escape, quote

LLAMA_TOKENIZERS = ("LlamaTokenizer", "LlamaTokenizerFast")
"""Of them alone `legacy` is false where it is not stated."""

UNREAD = ("vocab.txt", "spiece.model")
_NUMBERED = re.compile(r"tokenizer\.model\.v\d+(m\d+)?")
"""Mistral's names of its `tokenizer.model`, by version."""


class _Added(NamedTuple):
    token_id: int
    name: str
    is_special: bool


def read_older(folder: Path) -> MergedVocabulary:
    """The vocabulary of a folder that has no `tokenizer.json`.

    Raises:
        ModelFileError: a file is damaged, or at odds with another or with the model.
        UnsupportedModelError: there is no file that is known, or it is of an unknown kind.
    """
    path = find_older(folder)
    if path is None:
        raise UnsupportedModelError(_no_tokenizer(folder))
    config = read_optional_object(folder / TOKENIZER_CONFIG) or {}
    source = escape(path)
    if config.get("add_eos_token"):
        raise UnsupportedModelError(
            f"{escape(folder / TOKENIZER_CONFIG)}: add_eos_token is true: must be false"
        )
    metadata = _read(path, config, source)
    files = read_settings(folder, source)
    _add_tokens(metadata, _added_tokens(folder, config), files)
    _name_roles(metadata, config, files)
    vocabulary = read_vocabulary(metadata, source, files.end_ids)
    named = {**vocabulary.special_tokens, **files.special_tokens}
    is_llama = config.get("tokenizer_class") in LLAMA_TOKENIZERS
    is_legacy = bool(config.get("legacy", not is_llama))
    return replace(
        vocabulary,
        special_tokens=named,
        chat_templates=files.chat_templates,
        spaces_user_defined=False,
        spaces_after_tokens=is_legacy,
        doubles_spaces=is_legacy and not is_llama,
    )


def find_older(folder: Path) -> Path | None:
    """The file that the vocabulary is read from."""
    for name in (TEKKEN, SENTENCEPIECE):
        if (folder / name).is_file():
            return folder / name
    if (folder / VOCAB).is_file() and (folder / MERGES).is_file():
        return folder / VOCAB
    numbered = [path for path in folder.iterdir() if _NUMBERED.fullmatch(path.name)]
    return max(numbered, default=None)


def _read(path: Path, config: Mapping[str, Any], source: str) -> dict[str, Any]:
    if path.name == TEKKEN:
        return read_tekken(read_object(path, MAX_TOKENIZER_BYTES), source)
    if path.name == VOCAB:
        merges = read_text(path.with_name(MERGES), MAX_TOKENIZER_BYTES)
        return read_merges(read_object(path, MAX_TOKENIZER_BYTES), merges, config, source)
    return read_sentencepiece(read_bytes(path, MAX_TOKENIZER_BYTES), source)


def _no_tokenizer(folder: Path) -> str:
    found = next((name for name in UNREAD if (folder / name).is_file()), None)
    if found is None:
        return f"{escape(folder)} has no tokenizer: must have {TOKENIZER}, or give tokenizer="
    return (
        f"{escape(folder)} has {found}, but no {TOKENIZER}: load it with transformers' "
        "AutoTokenizer and save it again, or give tokenizer="
    )


def _added_tokens(folder: Path, config: Mapping[str, Any]) -> Iterator[_Added]:
    """Tokens beside the vocabulary's own, or of another type than there."""
    for name, index in (read_optional_object(folder / ADDED_TOKENS) or {}).items():
        yield _added(index, name, is_special=False, source=folder / ADDED_TOKENS)
    decoder = config.get("added_tokens_decoder")
    for key, token in decoder.items() if isinstance(decoder, dict) else ():
        fields = token if isinstance(token, dict) else {}
        index = int(key) if key.isdecimal() and len(key) < 10 else key
        yield _added(
            index,
            fields.get("content"),
            is_special=fields.get("special") is True,
            source=folder / TOKENIZER_CONFIG,
        )


def _added(index: object, name: object, *, is_special: bool, source: Path) -> _Added:
    if type(index) is not int or not 0 <= index < MAX_TOKENS or not isinstance(name, str):
        raise ModelFileError(
            f"{escape(source)}: added token {quote(name)} has id {quote(index)}: must be a text "
            f"and 0 to {MAX_TOKENS - 1}"
        )
    return _Added(index, name, is_special)


def _add_tokens(metadata: dict[str, Any], added: Iterator[_Added], files: TokenizerFiles) -> None:
    """Put the added tokens in their places; the rest up to the model's size is never produced.

    InternLM 2 names tokens that its vocabulary has as `[UNUSED_TOKEN_141]` and the like.
    """
    tokens = list(metadata["tokenizer.ggml.tokens"])
    types = [*metadata.get("tokenizer.ggml.token_type", [int(TokenType.NORMAL)] * len(tokens))]
    ids = {token: index for index, token in enumerate(tokens)}
    special = {*files.special_tokens.values(), *files.extra_tokens}
    for one in added:
        _extend(tokens, types, one.token_id + 1)
        if ids.get(one.name, one.token_id) != one.token_id:
            raise ModelFileError(
                f"{files.source}: added token {quote(one.name)} has id {one.token_id}: must be "
                f"{ids[one.name]}, as in the vocabulary"
            )
        if one.name in ids and types[one.token_id] in (TokenType.UNKNOWN, TokenType.CONTROL):
            continue
        ids.pop(tokens[one.token_id], None)  # a place that was kept free, and had a name for it
        tokens[one.token_id], ids[one.name] = one.name, one.token_id
        is_special = one.is_special or one.name in special
        types[one.token_id] = int(TokenType.CONTROL if is_special else TokenType.USER_DEFINED)
    for name in special & ids.keys():
        if types[ids[name]] != TokenType.UNKNOWN:
            types[ids[name]] = int(TokenType.CONTROL)
    if files.vocab_size is not None:
        if len(tokens) > files.vocab_size:
            _drop_unseen(tokens, types, files)
        _extend(tokens, types, files.vocab_size)
    metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"] = tokens, types
    if "tokenizer.ggml.scores" in metadata:
        scores = metadata["tokenizer.ggml.scores"][: len(tokens)]
        metadata["tokenizer.ggml.scores"] = [*scores, *[0.0] * (len(tokens) - len(scores))]


def _extend(tokens: list[str], types: list[int], size: int) -> None:
    missing = size - len(tokens)
    tokens += [""] * missing
    types += [int(TokenType.UNUSED)] * missing


def _drop_unseen(tokens: list[str], types: list[int], files: TokenizerFiles) -> None:
    """Drop tokens at the end that the model has no row for, unless they are text."""
    size = files.vocab_size or 0
    if any(kind in (TokenType.NORMAL, TokenType.BYTE) for kind in types[size:]):
        raise ModelFileError(
            f"{files.source} has {len(tokens)} tokens: must have at most {size}, the size of the "
            "model's vocabulary"
        )
    del tokens[size:], types[size:]


def _name_roles(metadata: dict[str, Any], config: Mapping[str, Any], files: TokenizerFiles) -> None:
    """Roles, and what goes before a text, as the folder's other files state them."""
    ids = {token: index for index, token in enumerate(metadata["tokenizer.ggml.tokens"])}
    for role, key in (("bos_token", "bos"), ("eos_token", "eos"), ("pad_token", "padding")):
        name = files.special_tokens.get(role)
        if name and name in ids:
            metadata[f"tokenizer.ggml.{key}_token_id"] = ids[name]
    if isinstance(config.get("add_bos_token"), bool):
        has_bos = "tokenizer.ggml.bos_token_id" in metadata
        metadata["tokenizer.ggml.add_bos_token"] = config["add_bos_token"] and has_bos
