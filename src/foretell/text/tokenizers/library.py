"""The `tokenizers` library: its panics and errors are a file's fault, its work nobody waits for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from foretell.errors import ForetellError, ModelFileError
from foretell.utils.quoting import one_line

if TYPE_CHECKING:
    import tokenizers

LONG_TEXT = 4096  # characters; they take a few milliseconds, which is what threads wait for anyway


@contextmanager
def blaming(source: str) -> Iterator[None]:
    """Raise a ModelFileError that names `source` for whatever the library raises inside.

    Its panics are no `Exception`; Ctrl-C is none either, and passes.
    """
    try:
        yield
    except ForetellError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ModelFileError(f"{source} cannot be used: {one_line(error)}") from None


def encode(tokenizer: tokenizers.Tokenizer, text: str) -> tokenizers.Encoding:
    """What the library makes of a text, no special tokens added.

    A long text goes the way of batches: there other threads run meanwhile, where `encode` would
    keep all of Python waiting, 1 s a MB. It has the same ids, and no offsets.
    """
    if len(text) <= LONG_TEXT:
        return tokenizer.encode(text, add_special_tokens=False)
    return tokenizer.encode_batch_fast([text], add_special_tokens=False)[0]


def encode_with_offsets(tokenizer: tokenizers.Tokenizer, text: str) -> tokenizers.Encoding:
    """The same, with the offsets, which take twice as long."""
    if len(text) <= LONG_TEXT:
        return tokenizer.encode(text, add_special_tokens=False)
    return tokenizer.encode_batch([text], add_special_tokens=False)[0]
