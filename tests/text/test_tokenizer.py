"""The tokenizer's rules: what is put first, what ends, what is special, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foretell.errors import RequestError
from foretell.text.tokenizer import Tokenizer


def tokenizer_of(metadata: dict[str, Any]) -> Tokenizer:
    return Tokenizer.from_gguf(metadata, source="tiny")


@pytest.fixture
def tokenizer(byte_metadata: dict[str, Any]) -> Tokenizer:
    return tokenizer_of(byte_metadata)


BOS, END = 260, 261


def test_its_repr_is_short(tokenizer: Tokenizer) -> None:
    assert repr(tokenizer) == f"Tokenizer(vocab_size={tokenizer.vocab_size})"


def test_no_bos_where_byte_level_says_nothing(tokenizer: Tokenizer) -> None:
    assert tokenizer.bos_token_id == BOS
    assert not tokenizer.adds_bos
    assert tokenizer.encode("he") == [256]


def test_bos_goes_first_where_the_file_says_so(byte_metadata: dict[str, Any]) -> None:
    tokenizer = tokenizer_of({**byte_metadata, "tokenizer.ggml.add_bos_token": True})
    assert tokenizer.adds_bos
    assert tokenizer.encode("he") == [BOS, 256]
    assert tokenizer.encode("") == [BOS]
    assert tokenizer.encode("he", add_special_tokens=False) == [256]


def test_llama3_wants_bos_unless_the_file_denies_it(byte_metadata: dict[str, Any]) -> None:
    byte_metadata["tokenizer.ggml.pre"] = "llama-bpe"
    assert tokenizer_of(byte_metadata).encode("he") == [BOS, 256]
    byte_metadata["tokenizer.ggml.add_bos_token"] = False
    assert tokenizer_of(byte_metadata).encode("he") == [256]


def test_sentencepiece_defaults(piece_metadata: dict[str, Any]) -> None:
    tokenizer = tokenizer_of(piece_metadata)
    assert tokenizer.bos_token_id == 1
    assert tokenizer.eos_token_ids == {2}
    assert tokenizer.adds_bos
    assert tokenizer.adds_space_prefix
    assert tokenizer.encode("") == [1]


def test_sentencepiece_defaults_need_control_tokens(piece_metadata: dict[str, Any]) -> None:
    piece_metadata["tokenizer.ggml.token_type"][1:3] = [1, 1]
    piece_metadata["tokenizer.ggml.add_bos_token"] = False
    tokenizer = tokenizer_of(piece_metadata)
    assert tokenizer.bos_token_id is None
    assert tokenizer.eos_token_ids == frozenset()


def test_eos_is_never_added(byte_metadata: dict[str, Any]) -> None:
    tokenizer = tokenizer_of({**byte_metadata, "tokenizer.ggml.add_eos_token": True})
    assert tokenizer.encode("he") == [256]


def test_stated_and_known_ends(byte_metadata: dict[str, Any]) -> None:
    byte_metadata["tokenizer.ggml.tokens"] += ["<|eot_id|>", "<|end|>", "</s>"]
    byte_metadata["tokenizer.ggml.token_type"] += [3, 3, 3]
    byte_metadata["tokenizer.ggml.eom_token_id"] = BOS
    byte_metadata["tokenizer.ggml.eot_token_id"] = 259
    assert tokenizer_of(byte_metadata).eos_token_ids == {259, BOS, END, 262, 263}


def test_an_end_inside_a_turn_does_not_count(byte_metadata: dict[str, Any]) -> None:
    byte_metadata["tokenizer.ggml.tokens"] += ["<|end|>", "<|return|>"]
    byte_metadata["tokenizer.ggml.token_type"] += [3, 3]
    assert tokenizer_of(byte_metadata).eos_token_ids == {END, 263}


def test_ends_and_bos_are_special_whatever_their_type(byte_metadata: dict[str, Any]) -> None:
    del byte_metadata["tokenizer.ggml.token_type"]
    tokenizer = tokenizer_of(byte_metadata)
    assert [i for i in range(tokenizer.vocab_size) if tokenizer.is_special(i)] == [BOS, END]


def test_special_tokens_on_request(tokenizer: Tokenizer) -> None:
    text = "he<|im_end|>he"
    assert tokenizer.encode(text, parse_special=True) == [256, END, 256]
    assert not any(map(tokenizer.is_special, tokenizer.encode(text)))
    assert tokenizer.decode([256, END, 256]) == "hehe"
    assert tokenizer.decode([256, END, 256], skip_special_tokens=False) == text
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_longest_special_token_wins(byte_metadata: dict[str, Any]) -> None:
    byte_metadata["tokenizer.ggml.tokens"] += ["<|im_end|>he", "x<|im_end|>"]
    byte_metadata["tokenizer.ggml.token_type"] += [3, 4]
    tokenizer = tokenizer_of(byte_metadata)
    assert tokenizer.encode("<|im_end|>he", parse_special=True) == [262]
    assert tokenizer.encode("x<|im_end|>he", parse_special=True) == [263, 256]


def test_names_are_not_patterns(byte_metadata: dict[str, Any]) -> None:
    byte_metadata["tokenizer.ggml.tokens"] += ["[.*]"]
    byte_metadata["tokenizer.ggml.token_type"] += [3]
    tokenizer = tokenizer_of(byte_metadata)
    assert tokenizer.encode("[.*][xx]", parse_special=True) == [262, *b"[xx]"]


def test_empty_tokens_are_never_produced(byte_metadata: dict[str, Any]) -> None:
    byte_metadata["tokenizer.ggml.tokens"] += ["", "", ""]
    byte_metadata["tokenizer.ggml.token_type"] += [1, 3, 4]
    tokenizer = tokenizer_of(byte_metadata)
    assert tokenizer.encode("he<s>he", parse_special=True) == [256, BOS, 256]
    assert [tokenizer.token_bytes(i) for i in (262, 263, 264)] == [b"", b"", b""]


def test_the_prefix_space_comes_and_goes(piece_metadata: dict[str, Any]) -> None:
    tokenizer = tokenizer_of(piece_metadata)
    ids = tokenizer.encode("he  he")
    assert tokenizer.decode(ids) == "he  he"
    assert tokenizer.decode(ids, skip_special_tokens=False) == "<s>he  he"
    assert tokenizer.decode(ids[1:]) == "he  he"
    assert tokenizer.decode(tokenizer.encode(" he")) == " he"


def test_a_continuation_keeps_its_space(piece_metadata: dict[str, Any]) -> None:
    tokenizer = tokenizer_of(piece_metadata)
    prompt, rest = tokenizer.encode("he"), tokenizer.encode("he", add_special_tokens=False)
    continued = tokenizer.decode(rest, continuation=True)
    assert continued == " he"
    assert tokenizer.decode(prompt) + continued == tokenizer.decode(prompt + rest) == "he he"


def test_token_text_shows_fragments(tokenizer: Tokenizer) -> None:
    assert tokenizer.token_text(256) == "he"
    assert tokenizer.token_text(0xE2) == "\ufffd"
    assert tokenizer.token_text(END) == "<|im_end|>"
    assert tokenizer.token_bytes(END) == b"<|im_end|>"


def test_pieces_of_characters_are_displayed_as_bytes(tokenizer: Tokenizer) -> None:
    cat = list("고".encode())
    assert tokenizer.display(cat) == "고"
    assert [tokenizer.display(part) for part in (cat[:2], cat[2:])] == ["<EA B3>", "<A0>"]
    assert tokenizer.display(np.array([*cat, 256, END, cat[0]])) == "고he<|im_end|><EA>"


def test_numpy_ids_are_ids(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(np.array([256, 257], dtype=np.int32)) == "hell"
    assert tokenizer.token_text(np.int64(256)) == "he"


@pytest.mark.parametrize("token_id", [-1, 262, 2**40])
def test_an_id_out_of_range_is_refused(tokenizer: Tokenizer, token_id: int) -> None:
    message = rf"token id {token_id} is out of range: must be 0 to 261"
    with pytest.raises(RequestError, match=message):
        tokenizer.decode([256, token_id])
    with pytest.raises(RequestError, match=message):
        tokenizer.token_bytes(token_id)
    with pytest.raises(RequestError, match=message):
        tokenizer.is_special(token_id)


@pytest.mark.parametrize("kind", ["byte_metadata", "piece_metadata"])
def test_a_lone_surrogate_is_refused(kind: str, request: pytest.FixtureRequest) -> None:
    tokenizer = tokenizer_of(request.getfixturevalue(kind))
    with pytest.raises(RequestError, match=r"lone surrogate '\\ud83d' at 2: must be valid"):
        tokenizer.encode("he\ud83d")


def test_text_must_be_a_string(tokenizer: Tokenizer) -> None:
    with pytest.raises(RequestError, match=r"text is b'he': must be a string"):
        tokenizer.encode(b"he")  # type: ignore[arg-type]
