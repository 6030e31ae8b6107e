"""What the `tokenizers` library raises is a file's fault, whatever it raises."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from support.pieces import piece_metadata
from support.toy import toy_tokenizer
from tokenizers import models, pre_tokenizers

from foretell.errors import ConfigError, ModelFileError
from foretell.text.tokenizer import Tokenizer
from foretell.text.tokenizers.library import LONG_TEXT, blaming, encode, encode_with_offsets


@pytest.fixture
def panicking() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.FixedLength(0)
    return tokenizer


def test_a_panic_while_encoding_names_the_file(
    byte_metadata: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    panicking: tokenizers.Tokenizer,
) -> None:
    tokenizer = Tokenizer.from_gguf(byte_metadata, source="m.gguf")
    monkeypatch.setattr(tokenizer._codec, "_tokenizer", panicking)
    with pytest.raises(ModelFileError, match=r"m\.gguf cannot be used: chunk size must be"):
        tokenizer.encode("he")


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (KeyError("a\n\x1b b"), ModelFileError),
        (ConfigError("said already"), ConfigError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_other_errors(raised: BaseException, seen: type[BaseException]) -> None:
    with pytest.raises(seen) as caught, blaming("m"):
        raise raised
    assert str(caught.value).isprintable()


@pytest.fixture
def nobody_is_interrupted() -> Iterator[None]:
    """A thread keeps Python to itself until it waits for something, or gives it away."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("nobody_is_interrupted")
@pytest.mark.parametrize("kind", ["byte-level", "SentencePiece"])
def test_other_threads_run_while_a_long_text_is_encoded(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foretell.text.tokenizers.sentencepiece.COMPILE_AFTER", 0)
    metadata = piece_metadata() | {"tokenizer.ggml.scores": [*map(float, range(267))]}
    pieces = Tokenizer.from_gguf(metadata, source="pieces")
    tokenizer = toy_tokenizer() if kind == "byte-level" else pieces
    tokenizer.encode("the")
    start, ran = threading.Lock(), threading.Event()
    start.acquire()
    thread = threading.Thread(target=lambda: (start.acquire(), ran.set()))
    thread.start()
    start.release()
    tokenizer.encode("the " * 500_000)
    has_run = ran.is_set()
    thread.join()
    assert has_run


@given(st.text(st.sampled_from("the cat\n é한👩<|start|>"), max_size=30))
def test_a_long_text_has_the_ids_of_a_short_one(text: str) -> None:
    library = toy_tokenizer()._codec._tokenizer
    long = text + " the" * LONG_TEXT
    expected = library.encode(long, add_special_tokens=False)
    assert encode(library, long).ids == expected.ids
    found = encode_with_offsets(library, long)
    assert (found.ids, found.offsets) == (expected.ids, expected.offsets)
    assert encode(library, text).ids == library.encode(text, add_special_tokens=False).ids
