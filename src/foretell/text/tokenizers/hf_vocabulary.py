"""From a `tokenizer.json` to a vocabulary and a codec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.json import parse_object
from foretell.text.tokenizers.hf_bound import read_bound
from foretell.text.tokenizers.hf_codec import JsonCodec
from foretell.text.tokenizers.hf_decoders import BYTE_NAME, Decoder, read_decoder
from foretell.text.tokenizers.hf_files import TokenizerFiles
from foretell.text.tokenizers.hf_growth import check_growth
from foretell.text.tokenizers.library import blaming
from foretell.text.tokenizers.vocabulary import (
    MAX_TOKENS,
    Spacing,
    TokenType,
    Vocabulary,
    ids_of_ends,
)
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    import tokenizers

MODELS = ("BPE", "Unigram", "WordLevel")


def build(files: TokenizerFiles) -> tuple[Vocabulary, JsonCodec]:
    """The tokens that the files list, and the codec that reads and writes them.

    Raises:
        ModelFileError: the file is damaged, at odds with itself or with the model.
        UnsupportedModelError: it is a kind of tokenizer that has no text of single tokens.
    """
    spec = parse_object(files.text, files.source)
    with blaming(files.source):
        decoder = _check(spec, files.source)
        if _drop_unseen(spec, files):
            files = replace(files, text=json.dumps(spec))
        return _build(files, spec, decoder)


def _check(spec: Mapping[str, Any], source: str) -> Decoder:
    """Refuse what the library would not survive; the way back to text."""
    model = spec.get("model")
    if not isinstance(model, dict):
        raise ModelFileError(f"{source} has no model: must have one")
    check_growth(spec, source)
    _check_merges(model, source)
    has_bytes = model.get("byte_fallback") is True
    return read_decoder(spec.get("decoder"), source, has_bytes=has_bytes)


def _build(
    files: TokenizerFiles, spec: Mapping[str, Any], decoder: Decoder
) -> tuple[Vocabulary, JsonCodec]:
    tokenizer = _load(files)
    vocab: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
    _check_ids(vocab, files)
    added = tokenizer.get_added_tokens_decoder()
    _check_added(spec.get("added_tokens"), vocab, files.source)
    bos, adds_bos = _begin(files, tokenizer, vocab)
    reader = _Reader(files, vocab, added)
    vocabulary = reader.vocabulary(
        unknown=_unknown_id(spec["model"], vocab),
        has_bytes=decoder.has_bytes,
        bos=bos,
        adds_bos=adds_bos,
        strips_space=decoder.strips_space,
    )
    bound = read_bound(spec, vocabulary)
    return vocabulary, JsonCodec(tokenizer, vocabulary, decoder, added, bound)


def _check_merges(model: Mapping[str, Any], source: str) -> None:
    """Refuse merges too short for the prefix that the library cuts off their right sides."""
    prefix, merges = model.get("continuing_subword_prefix"), model.get("merges")
    if not isinstance(prefix, str) or not isinstance(merges, list):
        return
    for merge in merges:
        right = (merge.split(" ") if isinstance(merge, str) else merge)[-1]
        if len(right) < len(prefix):
            raise ModelFileError(
                f"{source}: merge {quote(merge)} must go on with continuing_subword_prefix "
                f"{quote(prefix)}"
            )


def _drop_unseen(spec: dict[str, Any], files: TokenizerFiles) -> bool:
    """Drop the added tokens that the model has no row for, begins and ends aside; if any.

    Gemma 3 has one: it stands for images, which larger models of the family read.
    """
    entries = spec.get("added_tokens")
    if not isinstance(entries, list):
        return False
    spec["added_tokens"] = [entry for entry in entries if not _is_unseen(entry, files)]
    return len(spec["added_tokens"]) < len(entries)


def _is_unseen(entry: Any, files: TokenizerFiles) -> bool:
    if files.vocab_size is None or not isinstance(entry, dict):
        return False
    index, marks = entry.get("id"), map(files.special_tokens.get, ("bos_token", "eos_token"))
    return type(index) is int and index >= files.vocab_size and entry.get("content") not in marks


def _load(files: TokenizerFiles) -> tokenizers.Tokenizer:
    """The library's tokenizer, special tokens that the config alone names made such."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_str(files.text)
    if type(tokenizer.model).__name__ not in MODELS:
        raise UnsupportedModelError(
            f"{files.source}: model {type(tokenizer.model).__name__} is not supported: must be one "
            f"of {', '.join(MODELS)}"
        )
    tokenizer.no_truncation()
    tokenizer.no_padding()
    named = [name for name in (*files.special_tokens.values(), *files.extra_tokens) if name]
    known = [name for name in named if tokenizer.token_to_id(name) is not None]
    added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    tokenizer.add_special_tokens(
        [
            tokenizers.AddedToken(name, normalized=False, special=True)
            for name in known
            if name not in added
        ]
    )
    return tokenizer


def _check_ids(vocab: Mapping[str, int], files: TokenizerFiles) -> None:
    if not vocab:
        raise ModelFileError(f"{files.source} has no tokens: must have at least one")
    name, largest = max(vocab.items(), key=lambda item: item[1])
    limit = MAX_TOKENS if files.vocab_size is None else files.vocab_size
    if largest >= limit:
        raise ModelFileError(
            f"{files.source}: token {quote(name)} has id {largest}: must be below {limit}, the "
            "size of the model's vocabulary"
        )
    if len(set(vocab.values())) < len(vocab):
        raise ModelFileError(f"{files.source}: two tokens have the same id: ids must differ")
    limit = largest + 1 if files.vocab_size is None else files.vocab_size
    for index in files.end_ids:
        if index >= limit:
            raise ModelFileError(
                f"{files.source}: end-of-sequence token {index} must be an id below {limit}"
            )


def _check_added(entries: Any, vocab: Mapping[str, int], source: str) -> None:
    """The library numbers added tokens anew where the file's ids leave gaps: refuse that."""
    for entry in entries if isinstance(entries, list) else []:
        name, index = entry.get("content"), entry.get("id")
        if vocab.get(name) != index:
            raise ModelFileError(
                f"{source}: added token {quote(name)} has id {quote(index)}: must be "
                f"{vocab.get(name)}, the next one free"
            )


def _unknown_id(model: Mapping[str, Any], vocab: Mapping[str, int]) -> int | None:
    if model.get("type") == "Unigram":
        index = model.get("unk_id")
        return index if isinstance(index, int) else None
    name = model.get("unk_token")
    return vocab.get(name) if isinstance(name, str) else None


def _begin(
    files: TokenizerFiles, tokenizer: tokenizers.Tokenizer, vocab: Mapping[str, int]
) -> tuple[int | None, bool]:
    """The beginning-of-sequence token, if there is one, and whether it is put before a text.

    One that is put there has this role, even where no file names it.
    """
    bos = vocab.get(files.special_tokens.get("bos_token", ""))
    first = _template_begin(tokenizer, vocab)
    if bos is None and len(first) == 1:
        return first[0], True
    if first not in ([], [bos]):
        raise UnsupportedModelError(
            f"{files.source}: its post_processor puts tokens {quote(first)} before a text: must be "
            "none, or bos_token"
        )
    return bos, bool(first)


def _template_begin(tokenizer: tokenizers.Tokenizer, vocab: Mapping[str, int]) -> list[int]:
    """What is put before a text: seen at some text that has no special tokens of its own."""
    special = tokenizer.get_added_tokens_decoder().keys()
    for text in ("a", *islice(vocab, 100)):
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        if plain and special.isdisjoint(plain):
            full: list[int] = tokenizer.encode(text).ids
            begins = (n for n in range(len(full)) if full[n : n + len(plain)] == plain)
            return full[: next(begins, 0)]
    return []


class _Reader:
    """Collects tokens and their types, from files that were checked."""

    def __init__(
        self,
        files: TokenizerFiles,
        vocab: Mapping[str, int],
        added: Mapping[int, tokenizers.AddedToken],
    ) -> None:
        self.files = files
        self.vocab = vocab
        self.added = added

    def vocabulary(
        self,
        *,
        unknown: int | None,
        has_bytes: bool,
        bos: int | None,
        adds_bos: bool,
        strips_space: bool,
    ) -> Vocabulary:
        """Everything, padded with tokens that are never produced to the model's size."""
        size = self.files.vocab_size or max(self.vocab.values()) + 1
        tokens = [""] * size
        for token, index in self.vocab.items():
            tokens[index] = token
        eos = self.vocab.get(self.files.special_tokens.get("eos_token", ""))
        ends = self.files.end_ids | ids_of_ends(self.vocab)
        ends = ends if eos is None else ends | {eos}
        return Vocabulary(
            source=self.files.source,
            tokens=tokens,
            ids={token: index for index, token in enumerate(tokens)},
            types=self._types(tokens, ends if bos is None else ends | {bos}, unknown, has_bytes),
            adds_space_prefix=strips_space,
            bos_token_id=bos,
            adds_bos=adds_bos,
            eos_token_id=eos,
            eos_token_ids=ends,
            chat_templates=self.files.chat_templates,
            special_tokens=self.files.special_tokens,
            spacing={
                token.content: Spacing(token.lstrip, token.rstrip)
                for token in self.added.values()
                if token.lstrip or token.rstrip
            },
        )

    def _types(
        self, tokens: list[str], marks: frozenset[int], unknown: int | None, has_bytes: bool
    ) -> list[int]:
        types = [int(TokenType.NORMAL if token else TokenType.UNUSED) for token in tokens]
        if has_bytes:
            for index, token in enumerate(tokens):
                if len(token) == 6 and BYTE_NAME.fullmatch(token):
                    types[index] = int(TokenType.BYTE)
        for index, added in self.added.items():
            types[index] = int(TokenType.CONTROL if added.special else TokenType.USER_DEFINED)
        for index in marks:
            types[index] = int(TokenType.CONTROL)
        if unknown is not None and unknown not in marks:
            types[unknown] = int(TokenType.UNKNOWN)
        return types
