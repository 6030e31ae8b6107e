"""SentencePiece vocabularies against the `sentencepiece` package."""

from __future__ import annotations

import io
import re
from itertools import chain
from typing import Any

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pieces import piece_metadata
from support.spm_oracle import processor
from support.text_corpus import CODE, PROSE, SCRIPTS, corpus

from foretell.errors import ModelFileError
from foretell.text.tokenizer import Tokenizer
from foretell.text.tokenizers import merging
from foretell.text.tokenizers import sentencepiece as room


def tokenizer_of(metadata: dict[str, Any]) -> Tokenizer:
    return Tokenizer.from_gguf(metadata, source="pieces")


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False)


@pytest.fixture(params=["merged", "compiled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of merging, each from the first character on."""
    monkeypatch.setattr(room, "COMPILE_AFTER", 10**9 if request.param == "merged" else -1)
    return str(request.param)


USER_DEFINED = {"<table>": "<table>", "▁▁▁": "   ", "ab": "ab"}  # as a GGUF file spells them


@pytest.fixture(scope="session", params=["dummy prefix", "user-defined"])
def trained(request: pytest.FixtureRequest) -> sentencepiece.SentencePieceProcessor:
    """A small BPE model with byte fallback, trained here.

    It has a dummy prefix, like Llama 2's, or user-defined pieces, like Gemma's.
    """
    has_prefix = request.param == "dummy prefix"
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*CODE, *PROSE, *SCRIPTS] * 3),
        model_writer=model,
        model_type="bpe",
        vocab_size=900,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        add_dummy_prefix=has_prefix,
        user_defined_symbols=[] if has_prefix else list(USER_DEFINED),
        minloglevel=3,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def metadata_of(oracle: sentencepiece.SentencePieceProcessor) -> dict[str, Any]:
    """What a converter writes of a SentencePiece model into a GGUF file."""
    pieces = [oracle.id_to_piece(i) for i in range(oracle.vocab_size())]
    user_defined = USER_DEFINED if "<table>" in pieces else {}
    kinds = []
    for index, piece in enumerate(pieces):
        if oracle.is_unknown(index):
            kinds.append(2)
        elif oracle.is_control(index):
            kinds.append(3)
        elif oracle.is_byte(index):
            kinds.append(6)
        else:
            kinds.append(4 if piece in user_defined else 1)
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [user_defined.get(piece, piece) for piece in pieces],
        "tokenizer.ggml.scores": [oracle.get_score(i) for i in range(len(pieces))],
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.add_space_prefix": not user_defined,
    }


@pytest.fixture(scope="session")
def gemma_oracle(gemma_metadata: dict[str, Any]) -> sentencepiece.SentencePieceProcessor:
    return processor(gemma_metadata)


def test_encodes_a_trained_vocabulary_as_sentencepiece_does(
    trained: sentencepiece.SentencePieceProcessor, way: str
) -> None:
    tokenizer = tokenizer_of(metadata_of(trained))
    for text in corpus():
        assert ids(tokenizer, text) == trained.encode(text), repr(text)


def test_decodes_a_trained_vocabulary_as_sentencepiece_does(
    trained: sentencepiece.SentencePieceProcessor,
) -> None:
    tokenizer = tokenizer_of(metadata_of(trained))
    for text in corpus():
        encoded = trained.encode(text)
        assert tokenizer.decode(encoded) == trained.decode(encoded) == text.replace("▁", " ")


def test_encodes_gemmas_vocabulary_as_sentencepiece_does(
    gemma_metadata: dict[str, Any],
    gemma_oracle: sentencepiece.SentencePieceProcessor,
    way: str,
) -> None:
    tokenizer = tokenizer_of(gemma_metadata)
    for text in corpus():
        assert ids(tokenizer, text) == gemma_oracle.encode(text), repr(text)


def test_gemma_decodes_what_it_encodes(gemma_metadata: dict[str, Any]) -> None:
    tokenizer = tokenizer_of(gemma_metadata)
    for text in corpus():
        assert tokenizer.decode(tokenizer.encode(text)) == text.replace("▁", " ")


def test_what_gemma_declares(gemma_metadata: dict[str, Any]) -> None:
    tokenizer = tokenizer_of(gemma_metadata)
    assert tokenizer.vocab_size == 262_144
    assert tokenizer.encode("") == [tokenizer.bos_token_id] == [2]
    assert tokenizer.eos_token_ids == {1, 106}  # <eos>, <end_of_turn>
    assert tokenizer.encode("<start_of_turn>user\n", parse_special=True)[:2] == [2, 105]
    assert not any(map(tokenizer.is_special, ids(tokenizer, "<start_of_turn>user<eos>")))


ALPHABET = "ab▁é"
PIECES = st.text(ALPHABET, min_size=1, max_size=5)
VOCABULARIES = st.dictionaries(
    PIECES, st.tuples(st.integers(-6, 0), st.sampled_from([1, 1, 1, 5, 4])), max_size=25
)
TEXTS = st.text("ab é▁", max_size=14)


def random_metadata(
    vocabulary: dict[str, tuple[int, int]], byte_fallback: bool, prefix: bool
) -> dict[str, Any]:
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)] if byte_fallback else []
    # SentencePiece wants a user-defined piece in any vocabulary that lists some: it always may.
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": ["<unk>", *bytes_, *vocabulary],
        "tokenizer.ggml.scores": [0.0] * (1 + len(bytes_))
        + [float(score) for score, _ in vocabulary.values()],
        "tokenizer.ggml.token_type": [2]
        + [6] * len(bytes_)
        + [kind for _, kind in vocabulary.values()],
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.add_space_prefix": prefix,
    }


@settings(deadline=None)
@given(VOCABULARIES, st.lists(TEXTS, min_size=1, max_size=8), st.booleans(), st.booleans())
def test_encodes_any_vocabulary_as_sentencepiece_does(
    vocabulary: dict[str, tuple[int, int]], texts: list[str], byte_fallback: bool, prefix: bool
) -> None:
    """Equal scores, unused pieces, pieces of characters that are none, unreachable pieces."""
    metadata = random_metadata(vocabulary, byte_fallback, prefix)
    oracle = without_user_defined(metadata) if prefix else processor(metadata)
    tokenizer = tokenizer_of(metadata)
    for text in texts:
        parts = cut_at_user_defined(metadata, text) if prefix else [text]
        encoded = (oracle.encode(part) if isinstance(part, str) else [part] for part in parts)
        assert ids(tokenizer, text) == list(chain(*encoded))


def test_unused_pieces_made_of_unused_pieces_a_thousand_deep() -> None:
    """Longer than Python lets functions call each other; SentencePiece goes on for 100."""
    metadata = piece_metadata()
    runs = ["a" * length for length in range(1, 1025)]
    for key, values in {
        "tokens": runs,
        "scores": [float(len(run)) for run in runs],
        "token_type": [1] + [5] * (len(runs) - 1),
    }.items():
        metadata[f"tokenizer.ggml.{key}"] += values
    metadata |= {"tokenizer.ggml.unknown_token_id": 0, "tokenizer.ggml.add_space_prefix": False}
    tokenizer, single = tokenizer_of(metadata), metadata["tokenizer.ggml.tokens"].index("a")
    for length in (99, 1500):
        assert ids(tokenizer, "a" * length) == [single] * length
    assert ids(tokenizer, "a" * 99) == processor(metadata).encode("a" * 99)


def without_user_defined(metadata: dict[str, Any]) -> sentencepiece.SentencePieceProcessor:
    tokens, types = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    pairs = enumerate(zip(tokens, types, strict=True))
    never = [f"⬛{i}" if kind == 4 else token for i, (token, kind) in pairs]
    return processor({**metadata, "tokenizer.ggml.tokens": never})


def cut_at_user_defined(metadata: dict[str, Any], text: str) -> list[str | int]:
    """Llama.cpp's fragments: what lies between user-defined tokens has its own dummy prefix."""
    tokens, types = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    names = {
        token: i for i, (token, kind) in enumerate(zip(tokens, types, strict=True)) if kind == 4
    }
    pattern = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    parts = re.split(f"({pattern})", text.replace(" ", "▁")) if names else [text]
    return [names.get(part, part) for part in parts]


@settings(deadline=None)
@given(st.lists(PIECES, unique=True, max_size=25), st.lists(TEXTS, min_size=1, max_size=8))
def test_compiled_merges_are_exact_where_scores_differ(pieces: list[str], texts: list[str]) -> None:
    scores = {
        piece: -float(rank) for rank, piece in enumerate([*pieces, *(set(ALPHABET) - {*pieces})])
    }
    assert merging.can_compile(scores)
    model = merging.compile_merges(scores, {piece: i for i, piece in enumerate(scores)}, {})
    for text in texts:
        escaped = text.replace(" ", "▁")
        assert [token.value for token in model.tokenize(escaped)] == merging.merge(escaped, scores)


@settings(deadline=None)
@given(VOCABULARIES, st.lists(TEXTS, min_size=1, max_size=8))
def test_both_ways_agree_on_any_vocabulary(
    vocabulary: dict[str, tuple[int, int]], texts: list[str]
) -> None:
    vocabulary = {**vocabulary, **dict.fromkeys(ALPHABET, (-7, 1))}
    tokenizer = tokenizer_of(random_metadata(vocabulary, True, False))
    expected = [ids(tokenizer, text) for text in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "COMPILE_AFTER", -1)
        assert [ids(tokenizer, text) for text in texts] == expected


def test_equal_scores_go_from_left_to_right() -> None:
    spaces = {"▁" * length: -1e9 for length in (1, 2, 3, 4, 5)}
    assert merging.merge("▁" * 7, spaces) == ["▁" * 5, "▁" * 2]
    assert merging.tied_pieces(spaces) == ["▁" * length for length in (2, 3, 4, 5)]


def test_equal_scores_go_from_left_to_right_in_long_texts_too(way: str) -> None:
    vocabulary = dict.fromkeys(("bé", "ab"), (0, 1)) | dict.fromkeys(ALPHABET, (-7, 1))
    tokenizer = tokenizer_of(random_metadata(vocabulary, byte_fallback=True, prefix=False))
    assert [tokenizer.token_text(i) for i in ids(tokenizer, "abé")] == ["ab", "é"]


def test_too_many_ties_or_too_long_pieces_are_not_compiled() -> None:
    tied = dict.fromkeys("abcdefghijkl", -1.0) | {
        a + b: 0.0 for a in "abcdefghijkl" for b in "abcdefghijkl"
    }
    assert not merging.can_compile(tied)
    chars = {"a": 0.0}
    assert merging.can_compile(chars)
    assert not merging.can_compile({**chars, "a" * 40_000: -1.0})
    assert not merging.can_compile({**chars, "ab": -1.0})


def test_a_long_text_in_one_piece_is_quick(piece_metadata: dict[str, Any]) -> None:
    tokenizer = tokenizer_of(piece_metadata)
    assert len(ids(tokenizer, "hell" * 25_000)) == 50_000


AS_LLAMA_CPP = [
    ("he", ["▁he"]),
    ("he<table>he", ["▁he", "<table>", "▁he"]),
    ("<table>he", ["<table>", "▁he"]),
    ("he <table> he", ["▁he", "▁", "<table>", "▁", "▁he"]),
    ("<table><table>he", ["<table>", "<table>", "▁he"]),
    ("<table>", ["<table>"]),
    ("he<s>he</s> he", ["▁he", "<s>", "▁he", "</s>", "▁", "▁he"]),
    ("<s><table>he", ["<s>", "<table>", "▁he"]),
    ("<unk>he", ["<unk>", "▁he"]),
    ("", []),
]
"""What llama.cpp's `/tokenize` answers of the vocabulary of `piece_metadata`."""


@pytest.mark.parametrize(("text", "expected"), AS_LLAMA_CPP)
def test_the_prefix_space_goes_where_llama_cpp_puts_it(
    piece_metadata: dict[str, Any], text: str, expected: list[str]
) -> None:
    tokens = piece_metadata["tokenizer.ggml.tokens"]
    found = tokenizer_of(piece_metadata).encode(text, add_special_tokens=False, parse_special=True)
    assert [tokens[i] for i in found] == expected


def test_a_text_that_goes_on_has_no_prefix_space(piece_metadata: dict[str, Any]) -> None:
    tokenizer, tokens = tokenizer_of(piece_metadata), piece_metadata["tokenizer.ggml.tokens"]
    for parse_special in (False, True):
        found = tokenizer.encode(
            "he<table>he", add_special_tokens=False, continuation=True, parse_special=parse_special
        )
        assert [tokens[i] for i in found] == ["he", "<table>", "▁he"]


def test_without_prefix_space(piece_metadata: dict[str, Any]) -> None:
    piece_metadata["tokenizer.ggml.add_space_prefix"] = False
    tokenizer = tokenizer_of(piece_metadata)
    assert [tokenizer.token_text(i) for i in ids(tokenizer, "he he")] == ["he", " he"]
    assert tokenizer.decode(ids(tokenizer, " he")) == " he"


def test_byte_tokens_must_be_all_256(piece_metadata: dict[str, Any]) -> None:
    piece_metadata["tokenizer.ggml.token_type"][3] = 1
    with pytest.raises(ModelFileError, match=r"has 255 byte tokens: must have all 256 or none"):
        tokenizer_of(piece_metadata)


def test_a_byte_token_must_name_a_byte(piece_metadata: dict[str, Any]) -> None:
    piece_metadata["tokenizer.ggml.tokens"][3] = "<0xZZ>"
    with pytest.raises(ModelFileError, match=r"tokens\[3\] is the byte token '<0xZZ>'"):
        tokenizer_of(piece_metadata)


def test_without_bytes_there_must_be_an_unknown_token() -> None:
    metadata = random_metadata({"a": (0, 1)}, byte_fallback=False, prefix=False)
    del metadata["tokenizer.ggml.unknown_token_id"]
    metadata["tokenizer.ggml.token_type"][0] = 1
    with pytest.raises(ModelFileError, match=r"unknown_token_id is missing"):
        tokenizer_of(metadata)
