"""What the `tokenizers` library raises is a file's fault, whatever it raises."""

from __future__ import annotations

from typing import Any

import pytest
import tokenizers
from tokenizers import models, pre_tokenizers

from foretell.errors import ConfigError, ModelFileError
from foretell.text.tokenizer import Tokenizer
from foretell.text.tokenizers.library import blaming


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
