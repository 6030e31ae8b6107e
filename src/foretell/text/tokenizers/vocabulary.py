"""A tokenizer's vocabulary, and how a GGUF file states it, all checked.

The keys are those of ggml's specification (docs/gguf.md, `tokenizer.ggml.*`).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.errors import UnsupportedModelError
from foretell.formats.metadata import MetadataReader
from foretell.text.infill_marks import STATED
from foretell.text.tokenizers.pretokenizers import NO_CUTS, PreTokenizer, find_pretokenizer
from foretell.utils.quoting import quote
from foretell.utils.surrogates import has_surrogate

MAX_TOKENS = 2**22
MAX_TOKEN_LENGTH = 1024  # characters; the longest in known vocabularies has a few hundred

SENTENCEPIECE = ("llama", "unigram")
"""The models of SentencePiece, as `tokenizer.ggml.model` has them; the second is our word."""

SPACED = "gemma4"
"""BPE by merges, on the characters of SentencePiece: of GGUF files of Gemma 4."""

DEFAULT_TEMPLATE, TOOL_TEMPLATE = "default", "tool_use"
"""What models that have several chat templates call that of a usual chat, and of one with tools."""

ROLES = {  # by GGUF's keys, one of them misspelled there
    "unknown": "unk_token",
    "seperator": "sep_token",
    "padding": "pad_token",
    "cls": "cls_token",
    "mask": "mask_token",
}

END_PIECES = frozenset(
    {
        "<|im_end|>",  # ChatML
        "<|endoftext|>",  # GPT-2
        "<|end_of_text|>",  # Llama 3, Granite
        "<|eot_id|>",  # Llama 3
        "<|eom_id|>",  # Llama 3.1
        "<|eot|>",  # Llama 4
        "<end_of_turn>",  # Gemma
        "<turn|>",  # Gemma 4
        "<|tool_response>",  # Gemma 4: what follows is not the model's to write
        "<|end|>",  # Phi 3
        "<|return|>",  # gpt-oss
        "<|call|>",  # gpt-oss
        "<end_of_utterance>",  # SmolVLM
        "<｜end▁of▁sentence｜>",  # DeepSeek
    }
)
"""Pieces that end a turn whichever id the file calls end-of-sequence. gpt-oss alone uses `<|end|>`
inside a turn: where `<|return|>` exists, `<|end|>` does not count."""


class TokenType(IntEnum):
    """What a token is, by ggml's numbers."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


SPECIAL_TYPES = (TokenType.UNKNOWN, TokenType.CONTROL)


@dataclass(frozen=True)
class Spacing:
    """Whether a token, where its name is found in a text, takes white space beside it along."""

    left: bool = False
    right: bool = False


@dataclass(frozen=True)
class Vocabulary:
    """Tokens and what they are, consistent with each other.

    Attributes:
        source: the file's name, for messages.
        tokens: text of each token, by id. An empty one is never produced.
        ids: id of each text.
        types: a `TokenType` value for each token.
        adds_space_prefix: whether a space goes before the text, and is taken away again.
        bos_token_id: put before a text where `adds_bos` says so.
        eos_token_id: the file's end-of-sequence token.
        eos_token_ids: every token that ends a generation.
        chat_templates: Jinja sources by name; `DEFAULT_TEMPLATE` is that of a usual chat.
        special_tokens: names by role, as chat templates know them: "bos_token", "pad_token", ...
        spacing: of control tokens that take white space along, by name.
        infill_ids: of the tokens around a gap, by what they stand before, where the file has them.
    """

    source: str
    tokens: list[str]
    ids: dict[str, int]
    types: list[int]
    adds_space_prefix: bool
    bos_token_id: int | None
    adds_bos: bool
    eos_token_id: int | None
    eos_token_ids: frozenset[int]
    chat_templates: Mapping[str, str]
    special_tokens: Mapping[str, str]
    spacing: Mapping[str, Spacing]
    infill_ids: Mapping[str, int] = field(default_factory=dict, kw_only=True)

    def ids_of(self, *types: TokenType) -> list[int]:
        """Ids of the tokens of these types, ascending, empty tokens left out."""
        wanted: list[int] = np.flatnonzero(np.isin(self._spelled_types, types)).tolist()
        return wanted

    @cached_property
    def _spelled_types(self) -> NDArray[np.int8]:
        types = np.array(self.types, dtype=np.int8)
        if "" in self.ids:
            types[[not token for token in self.tokens]] = 0
        return types


@dataclass(frozen=True)
class MergedVocabulary(Vocabulary):
    """A vocabulary, and the rules by which text is cut and merged into its tokens.

    Attributes:
        model: "gpt2" (byte-level BPE), "llama" (SentencePiece BPE), "unigram" (SentencePiece's
            other model, which GGUF files do not have) or "gemma4" (`SPACED`).
        scores: for SentencePiece, one number a token: of two merges the one whose result has the
            higher score comes first; "unigram" has logarithms of probabilities. Else empty.
        merges: for the others, pairs in order of rank. Empty for SentencePiece.
        pretokenizer: how text is cut before merging; SentencePiece does not cut.
        unknown_token_id: what stands for a character that nothing else spells.
        spaces_user_defined: whether the space that goes before a text goes after user-defined
            tokens too, as in llama.cpp.
        spaces_after_tokens: whether it goes after control tokens.
        doubles_spaces: whether it goes before a text that begins with a space.
    """

    model: str
    scores: list[float]
    merges: list[tuple[str, str]]
    pretokenizer: PreTokenizer
    unknown_token_id: int | None
    spaces_user_defined: bool
    spaces_after_tokens: bool = field(default=True, kw_only=True)
    doubles_spaces: bool = field(default=True, kw_only=True)


def read_vocabulary(
    metadata: Mapping[str, Any], source: str, end_ids: Set[int] = frozenset()
) -> MergedVocabulary:
    """Read and check a file's vocabulary.

    Args:
        metadata: values by key.
        source: the file's name, for messages.
        end_ids: of tokens that end a generation besides those that the metadata names.

    Raises:
        ModelFileError: a field is missing, of the wrong type or at odds with another.
        UnsupportedModelError: the tokenizer's model or pre-tokenizer is not known here.
    """
    reader = MetadataReader(metadata, source)
    model = _read_model(reader)
    tokens = _read_tokens(reader)
    ids = _index(reader, tokens)
    is_sentencepiece = model in SENTENCEPIECE
    pretokenizer = _read_pretokenizer(reader) if model == "gpt2" else NO_CUTS
    types = _read_types(reader, tokens, model)
    bos, eos, unknown = (_special(reader, name, types, model) for name in ("bos", "eos", "unknown"))
    ends = _end_ids(reader, ids, eos, len(tokens)) | end_ids
    if ends and max(ends) >= len(tokens):
        raise reader.wrong(f"end-of-sequence token {max(ends)} must be an id below {len(tokens)}")
    for index in ends if bos is None else {bos, *ends}:
        types[index] = int(TokenType.CONTROL)  # some converters leave these at normal
    return MergedVocabulary(
        source=source,
        model=model,
        tokens=tokens,
        ids=ids,
        types=types,
        scores=_read_scores(reader, len(tokens)) if is_sentencepiece else [],
        merges=[] if is_sentencepiece else _read_merges(reader, ids, types),
        pretokenizer=pretokenizer,
        adds_space_prefix=is_sentencepiece and reader.flag("tokenizer.ggml.add_space_prefix", True),
        unknown_token_id=unknown,
        spaces_user_defined=is_sentencepiece
        and reader.flag("tokenizer.ggml.add_space_prefix", True),
        bos_token_id=bos,
        adds_bos=_read_adds_bos(reader, bos, pretokenizer, must=model == SPACED),
        eos_token_id=eos,
        eos_token_ids=ends,
        chat_templates=_read_templates(reader),
        special_tokens=_read_special_tokens(reader, tokens, {"bos_token": bos, "eos_token": eos}),
        spacing={},
        infill_ids=_read_infill_ids(reader, len(tokens)),
    )


def _read_model(reader: MetadataReader) -> str:
    key = "tokenizer.ggml.model"
    if key not in reader:
        raise reader.wrong(f"{key} is missing: must name the kind of tokenizer")
    model = reader.text(key)
    if model not in ("gpt2", SPACED, *SENTENCEPIECE):
        raise UnsupportedModelError(
            f"{reader.source}: {key} is {quote(model)}: must be 'gpt2', 'llama', 'unigram' or "
            f"{SPACED!r}"
        )
    if model in SENTENCEPIECE and reader.flag("tokenizer.ggml.remove_extra_whitespaces", False):
        raise UnsupportedModelError(
            f"{reader.source}: tokenizer.ggml.remove_extra_whitespaces is true: must be false"
        )
    return model


def _read_tokens(reader: MetadataReader) -> list[str]:
    key = "tokenizer.ggml.tokens"
    tokens = reader.texts(key, [])
    if not tokens:
        raise reader.wrong(f"{key} is missing or empty: must list the vocabulary")
    if len(tokens) > MAX_TOKENS:
        raise reader.wrong(f"{key} has {len(tokens)} entries: must have at most {MAX_TOKENS}")
    longest = max(tokens, key=len)
    if len(longest) > MAX_TOKEN_LENGTH:
        index = tokens.index(longest)
        raise reader.wrong(
            f"{key}[{index}] has {len(longest)} characters: must have at most {MAX_TOKEN_LENGTH}"
        )
    return tokens


def _index(reader: MetadataReader, tokens: list[str]) -> dict[str, int]:
    ids = dict(zip(tokens, range(len(tokens)), strict=True))
    if len(ids) + max(0, tokens.count("") - 1) != len(tokens):
        first: dict[str, int] = {}
        for index, token in enumerate(tokens):
            if token and first.setdefault(token, index) != index:
                raise reader.wrong(
                    f"tokenizer.ggml.tokens[{index}] is {quote(token)} like entry {first[token]}: "
                    "tokens must differ"
                )
    return ids


def _read_types(reader: MetadataReader, tokens: list[str], model: str) -> list[int]:
    key = "tokenizer.ggml.token_type"
    if key not in reader:
        if model != "gpt2":
            raise reader.wrong(f"{key} is missing: must give each token's type")
        return [int(TokenType.NORMAL)] * len(tokens)
    types = reader.integers(key)
    _check_length(reader, key, types, len(tokens))
    known = set(TokenType) if model != "gpt2" else set(TokenType) - {TokenType.BYTE}
    for wrong in set(types) - known:
        index = types.index(wrong)
        raise reader.wrong(f"{key}[{index}] is {wrong}: must be 1 to {max(known)}")
    return list(types)


def _read_scores(reader: MetadataReader, vocab_size: int) -> list[float]:
    key = "tokenizer.ggml.scores"
    if key not in reader:
        raise reader.wrong(f"{key} is missing: must give each token's score")
    scores = reader.numbers(key)
    _check_length(reader, key, scores, vocab_size)
    return scores


def _read_merges(
    reader: MetadataReader, ids: dict[str, int], types: list[int]
) -> list[tuple[str, str]]:
    key = "tokenizer.ggml.merges"
    if key not in reader:
        raise reader.wrong(f"{key} is missing: must list the merges")
    merges = reader.texts(key)
    special = {token for token, index in ids.items() if types[index] in SPECIAL_TYPES}
    spelled = ids.keys() - special
    parts = "\n".join(merges).replace(" ", "\n").split("\n")
    if len(parts) == 2 * len(merges) and all(" " in merge for merge in merges):
        joined = "\n".join(merges).replace(" ", "").split("\n")
        if spelled >= set(parts) and spelled >= set(joined):
            return list(zip(parts[::2], parts[1::2], strict=True))
    return _read_odd_merges(reader, merges, spelled)


def _read_odd_merges(
    reader: MetadataReader, merges: list[str], spelled: Set[str]
) -> list[tuple[str, str]]:
    """One after the other: some are not two words, or name no token."""
    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    for index, (left, right) in enumerate(pairs):
        if not (left in spelled and right in spelled and left + right in spelled):
            raise reader.wrong(
                f"tokenizer.ggml.merges[{index}] is {quote(merges[index])}: must be two tokens "
                "whose join is one too"
            )
    return pairs


def _read_pretokenizer(reader: MetadataReader) -> PreTokenizer:
    return find_pretokenizer(reader.text("tokenizer.ggml.pre", "default"), reader.source)


def _read_templates(reader: MetadataReader) -> dict[str, str]:
    key = "tokenizer.chat_template"
    keys = {DEFAULT_TEMPLATE: key} if key in reader else {}
    keys |= {name: f"{key}.{name}" for name in reader.texts("tokenizer.chat_templates", [])}
    found = {name: reader.text(key) for name, key in keys.items() if key in reader}
    for name, template in found.items():
        if has_surrogate(template):
            raise reader.wrong(f"{keys[name]} is not valid UTF-8: must be")
    return found


def _read_special_tokens(
    reader: MetadataReader, tokens: list[str], marks: Mapping[str, int | None]
) -> dict[str, str]:
    """Names by role; as in llama.cpp a template knows begin and end even where there is none.

    An id outside the vocabulary names nothing: converters write one for a role that is not filled.
    """
    keys = {f"tokenizer.ggml.{key}_token_id": role for key, role in ROLES.items()}
    found = {
        role: reader.integer(key, -1, 2**32 - 1) for key, role in keys.items() if key in reader
    }
    named = {role: tokens[index] for role, index in found.items() if 0 <= index < len(tokens)}
    ends = {role: "" if index is None else tokens[index] for role, index in marks.items()}
    return named | ends


def _read_infill_ids(reader: MetadataReader, vocab_size: int) -> dict[str, int]:
    """Those that lie in the vocabulary: converters write others for tokens that are not there."""
    found = {}
    for part, names in STATED.items():
        keys = [f"tokenizer.ggml.{name}" for name in names]
        stated = [reader.integer(key, -(2**32), 2**32) for key in keys if key in reader]
        if stated and 0 <= stated[0] < vocab_size:
            found[part] = stated[0]
    return found


def _check_length(reader: MetadataReader, key: str, values: list[Any], vocab_size: int) -> None:
    if len(values) != vocab_size:
        raise reader.wrong(
            f"{key} has {len(values)} entries: must have {vocab_size}, one for each token"
        )


SENTENCEPIECE_IDS = {  # SentencePiece's own defaults
    "unknown": (0, TokenType.UNKNOWN),
    "bos": (1, TokenType.CONTROL),
    "eos": (2, TokenType.CONTROL),
}


def _special(reader: MetadataReader, name: str, types: list[int], model: str) -> int | None:
    stated = reader.token_id(f"tokenizer.ggml.{name}_token_id", len(types))
    default, kind = SENTENCEPIECE_IDS[name]
    if stated is None and model in SENTENCEPIECE and types[default : default + 1] == [kind]:
        return default
    return stated


def _end_ids(
    reader: MetadataReader, ids: dict[str, int], eos: int | None, vocab_size: int
) -> frozenset[int]:
    keys = [f"tokenizer.ggml.{name}_token_id" for name in ("eot", "eom")]
    stated = [eos, *(reader.token_id(key, vocab_size) for key in keys)]
    return frozenset(index for index in stated if index is not None) | ids_of_ends(ids)


def ids_of_ends(ids: Mapping[str, int]) -> frozenset[int]:
    """Ids of the tokens that end a turn by their text: those of `END_PIECES`."""
    pieces = END_PIECES - {"<|end|>"} if "<|return|>" in ids else END_PIECES
    return frozenset(ids[piece] for piece in pieces if piece in ids)


def _read_adds_bos(
    reader: MetadataReader, bos: int | None, pretokenizer: PreTokenizer, *, must: bool
) -> bool:
    """As the file says, unless it `must`, as in llama.cpp: first files of Gemma 4 say otherwise."""
    key = "tokenizer.ggml.add_bos_token"
    adds_bos = reader.flag(key, pretokenizer.adds_bos) or must
    if adds_bos and bos is None:
        raise reader.wrong(f"{key} holds but tokenizer.ggml.bos_token_id is missing: must be given")
    return adds_bos
