"""The `tokenizers` library, whose panics and errors are a file's fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from foretell.errors import ForetellError, ModelFileError
from foretell.utils.quoting import one_line


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
