"""Byte-level BPE against a textbook implementation on the default model's vocabulary."""

from __future__ import annotations

from typing import Any

import pytest
from support.text_corpus import corpus
from support.textbook_bpe import GPT2_CUTS, TextbookBPE, visible_bytes

from foretell.text.tokenizer import Tokenizer
from foretell.text.tokenizers.byte_level import byte_alphabet


@pytest.fixture(scope="session")
def textbook(default_metadata: dict[str, Any]) -> TextbookBPE:
    return TextbookBPE(
        default_metadata["tokenizer.ggml.tokens"],
        default_metadata["tokenizer.ggml.merges"],
        [r"\p{N}", GPT2_CUTS],
    )


def test_the_alphabet_is_gpt2s() -> None:
    assert byte_alphabet() == [visible_bytes()[byte] for byte in range(256)]


def test_encodes_as_the_textbook_does(default_tokenizer: Tokenizer, textbook: TextbookBPE) -> None:
    strings = corpus()
    assert len(set(strings)) > 1000
    for text in strings:
        assert default_tokenizer.encode(text) == textbook.encode(text), repr(text)


def test_decode_undoes_encode_where_every_byte_is_a_token(
    default_tokenizer: Tokenizer, textbook: TextbookBPE
) -> None:
    spelled = {byte for byte, char in visible_bytes().items() if char in textbook.ids}
    texts = [text for text in corpus() if set(text.encode()) <= spelled]
    assert len(texts) > 1000
    for text in texts:
        assert default_tokenizer.decode(default_tokenizer.encode(text)) == text


def test_special_tokens_are_text_unless_asked_for(
    default_tokenizer: Tokenizer, textbook: TextbookBPE
) -> None:
    text = "<|im_start|>user\nHi<|im_end|>\n"
    plain = default_tokenizer.encode(text)
    assert not any(map(default_tokenizer.is_special, plain))
    assert default_tokenizer.encode(text, parse_special=True) == [
        textbook.ids["<|im_start|>"],
        *textbook.encode("user\nHi"),
        textbook.ids["<|im_end|>"],
        *textbook.encode("\n"),
    ]


def test_what_the_default_model_declares(default_tokenizer: Tokenizer) -> None:
    assert default_tokenizer.vocab_size == 49152
    assert default_tokenizer.bos_token_id == 1
    assert not default_tokenizer.adds_bos
    assert default_tokenizer.eos_token_ids == {0, 2}  # <|endoftext|>, <|im_end|>
    assert default_tokenizer.chat_template is not None


def test_a_byte_without_token_is_dropped(default_tokenizer: Tokenizer) -> None:
    assert default_tokenizer.encode("a\x04b") == [
        *default_tokenizer.encode("a"),
        *default_tokenizer.encode("b"),
    ]


def test_user_defined_tokens_are_always_read(byte_metadata: dict[str, Any]) -> None:
    tokenizer = Tokenizer.from_gguf(byte_metadata, source="tiny")
    hell, think = 258, 259
    assert tokenizer.encode("hell<think>hell") == [hell, think, hell]
    assert tokenizer.decode([hell, think]) == "hell<think>"


def test_the_longest_user_defined_token_wins(byte_metadata: dict[str, Any]) -> None:
    byte_metadata["tokenizer.ggml.tokens"] += ["    ", "  "]
    byte_metadata["tokenizer.ggml.token_type"] += [4, 4]
    tokenizer = Tokenizer.from_gguf(byte_metadata, source="tiny")
    assert tokenizer.encode(" " * 7) == [262, 263, 32]


def test_a_whole_word_is_taken_unmerged_where_the_rule_says_so(
    byte_metadata: dict[str, Any],
) -> None:
    byte_metadata["tokenizer.ggml.tokens"] += ["hello"]
    byte_metadata["tokenizer.ggml.token_type"] += [1]
    merged = Tokenizer.from_gguf(byte_metadata, source="tiny")
    assert merged.encode("hello") == [258, ord("o")]
    byte_metadata["tokenizer.ggml.pre"] = "llama-bpe"
    byte_metadata["tokenizer.ggml.add_bos_token"] = False
    whole = Tokenizer.from_gguf(byte_metadata, source="tiny")
    assert whole.encode("hello") == [262]


def test_a_control_token_is_no_whole_word(byte_metadata: dict[str, Any]) -> None:
    byte_metadata["tokenizer.ggml.tokens"] += ["PAD"]
    byte_metadata["tokenizer.ggml.token_type"] += [3]
    byte_metadata["tokenizer.ggml.pre"] = "tekken"
    tokenizer = Tokenizer.from_gguf(byte_metadata, source="tiny")
    assert tokenizer.encode("PAD", add_special_tokens=False) == list(b"PAD")


def test_qwen_composes_characters_first(byte_metadata: dict[str, Any]) -> None:
    byte_metadata["tokenizer.ggml.pre"] = "qwen2"
    tokenizer = Tokenizer.from_gguf(byte_metadata, source="tiny")
    assert tokenizer.decode(tokenizer.encode("e\u0301")) == "é"


def test_an_added_token_left_at_normal_gives_its_text(byte_metadata: dict[str, Any]) -> None:
    byte_metadata["tokenizer.ggml.tokens"] += ["<한글>"]
    byte_metadata["tokenizer.ggml.token_type"] += [1]
    tokenizer = Tokenizer.from_gguf(byte_metadata, source="tiny")
    assert tokenizer.token_bytes(262) == "<한글>".encode()


def test_token_bytes_are_the_bytes(byte_metadata: dict[str, Any]) -> None:
    tokenizer = Tokenizer.from_gguf(byte_metadata, source="tiny")
    assert [tokenizer.token_bytes(byte) for byte in range(256)] == [
        bytes([byte]) for byte in range(256)
    ]
