"""No text has fewer tokens than its length says."""

from __future__ import annotations

import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.folder_tokenizers import KINDS, save
from support.pieces import piece_metadata
from support.toy import toy_metadata, toy_tokenizer

from foretell.text.tokenizer import Tokenizer
from foretell.text.tokenizers.bound import MAX_COMPOSED, TokenBound

CHARACTERS = "the cat<s>|user\n\x00\t é\u0301e\u0301ᾂ한\u1112\u1161\u11ab👩0▁</s>"
TEXTS = st.lists(st.text(st.sampled_from(CHARACTERS), max_size=8), max_size=8).map("".join)


def few_bytes(**others: Any) -> dict[str, Any]:
    """The toy tokenizer without the tokens of two control characters and of 0xF5."""
    metadata = toy_metadata() | others
    spelled = [*map(chr, (0x100, 0x109)), "\u00f5"]  # NUL, TAB, and what no UTF-8 has
    tokens = ["?" * 40 if one in spelled else one for one in metadata["tokenizer.ggml.tokens"]]
    return metadata | {
        "tokenizer.ggml.tokens": [
            f"{one}{i}" if "?" in one[1:] else one for i, one in enumerate(tokens)
        ]
    }


def check(tokenizer: Tokenizer, text: str) -> None:
    least = tokenizer.min_tokens(text)
    for how in ({}, {"parse_special": True}, {"continuation": True}):
        assert len(tokenizer.encode(text, add_special_tokens=False, **how)) >= least


@given(TEXTS)
@example("\0\t" * 500)
@example("ᾂ\u0301" * 500)
@example(unicodedata.normalize("NFD", "ᾂ") * 500)
@example(" cat" * 500)
@example("<|start|>" * 100)
@example("▁he" * 500)
def test_a_text_has_no_fewer_tokens(text: str) -> None:
    metadatas = [
        toy_metadata(),
        toy_metadata() | {"tokenizer.ggml.pre": "qwen2"},
        few_bytes(),
        few_bytes(**{"tokenizer.ggml.pre": "qwen2"}),
        piece_metadata(),
    ]
    for metadata in metadatas:
        tokenizer = Tokenizer.from_gguf(metadata, source="m")
        assert tokenizer.min_tokens("a" * 10_000) > 0
        check(tokenizer, text)


@pytest.fixture(scope="module", params=sorted(KINDS))
def folder_tokenizer(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Tokenizer:
    return Tokenizer.from_folder(save(tmp_path_factory.mktemp("tokenizer"), request.param))


@given(text=TEXTS)
@example(text="<|trim|>" + " " * 5000 + "<|trim|>")
@example(text="\0\t\x01" * 2000)
@example(text=" a" * 2000)
@example(text="</s>" * 1000)
def test_a_checkpoints_text_has_no_fewer_tokens(folder_tokenizer: Tokenizer, text: str) -> None:
    check(folder_tokenizer, text)


def test_only_characters_with_tokens_count() -> None:
    assert TokenBound(4, "\0\t").min_tokens("\0abc\td e\0") == 2
    assert TokenBound(4).min_tokens("") == 0
    assert toy_tokenizer().min_tokens("x" * 10 + "\0") == 2  # the longest is <|start|>


def test_pieces_without_bytes_have_no_bound() -> None:
    metadata = piece_metadata()
    types = [1 if one == 6 else one for one in metadata["tokenizer.ggml.token_type"]]
    unknown = {"tokenizer.ggml.token_type": types, "tokenizer.ggml.unknown_token_id": 0}
    tokenizer = Tokenizer.from_gguf(metadata | unknown, source="m")
    assert tokenizer.min_tokens("x" * 10_000) == 0


def test_no_more_characters_are_composed() -> None:
    codes = (code for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
    decomposed = (len(unicodedata.normalize("NFD", chr(code))) for code in codes)
    assert max(decomposed) == MAX_COMPOSED


def test_real_models(default_tokenizer: Tokenizer) -> None:
    assert default_tokenizer.min_tokens("a" * 4_000_000) > 8192
    check(default_tokenizer, "".join(map(chr, range(0x800))) * 3)
