"""Everything that foretell raises on purpose.

                          exit  HTTP
ForetellError                1   500
├── ConfigError              2   400   a setting is unknown, out of range or contradicts another
│   └── UnknownNameError     2   400   a setting, or an argument, is not known by this name
├── RequestError             2   400   a prompt is empty, or exceeds the context or the KV pool
│   ├── ContextLengthError   2   400   a prompt and its answer exceed the context
│   ├── KVPoolError          2   400   a request fits the context, but not the KV pool
│   ├── QueueFullError       2   429   as many requests wait as may
│   ├── ClosedError          1   503   an AsyncLLM was closed, before or meanwhile
│   └── ReceiptError         2   400   a receipt is damaged, or is none
├── BusyError                1   503   a helper process is not to be had at the moment
├── ModelNotFoundError       1   404   no such model name, file or cached download
├── DownloadError            1   502   a model could not be fetched or stored
├── ModelFileError           1   500   a model file is damaged, truncated or malicious
├── PrefixFileError          1   500   a prefix's file is damaged, or not of this model and setting
├── UnsupportedModelError    1   501   the file is sound, but foretell cannot run what is in it
├── OutOfMemoryError         1   500   a model takes more memory than there is
└── NumericalError           1   500   the model answered with NaN, or with no token possible

A message names the thing, its value and what would be right, in one line. The command line prints
it and exits with `exit_code`; nothing else reaches the user as a traceback. A server answers with
`http_status`, where OpenAI's clients try 429 and 5xx again: what computes the same again (500, 501)
needs a header that says not to.
"""

from __future__ import annotations

from typing import Self


class ForetellError(Exception):
    """Root of the tree; catching it catches every error that foretell raises on purpose."""

    exit_code = 1
    http_status = 500

    def again(self, message: str | None = None) -> Self:
        """The same error anew, for one more to raise; with another message, if one is given.

        Shared, it would gather the tracebacks of all who raise it.
        """
        own = type(self)(*(self.args if message is None else (message,)))
        own.__dict__.update(self.__dict__)
        own.__cause__ = self.__cause__
        return own


class ConfigError(ForetellError, ValueError):
    """A setting is unknown, out of range or contradicts another."""

    exit_code = 2
    http_status = 400


class UnknownNameError(ConfigError, TypeError):
    """A setting, or an argument, is not known by this name; a TypeError, as Python's own is."""


class RequestError(ForetellError, ValueError):
    """A prompt is empty, or the request cannot fit the context or the KV pool."""

    exit_code = 2
    http_status = 400


class ContextLengthError(RequestError):
    """A prompt, and what is to be generated after it, exceed the context.

    Args:
        message: says so.
        setting, value: which setting asks for too much, and how much; None: it is the prompt.
        room: tokens that the setting could ask for; None where it is none that exceeds.
    """

    def __init__(
        self,
        message: str = "",
        *,
        setting: str | None = None,
        value: str | None = None,
        room: int | None = None,
    ) -> None:
        super().__init__(message)
        self.setting = setting
        self.value = value
        self.room = room


class KVPoolError(RequestError):
    """A request fits the context, but not the KV pool; another machine's may be larger."""


class QueueFullError(RequestError):
    """As many requests wait as may wait in the engine: try again later."""

    http_status = 429


class ClosedError(RequestError):
    """The AsyncLLM was closed before the request came, or before it ended."""

    exit_code = 1
    http_status = 503


class ReceiptError(RequestError):
    """A receipt is damaged, of another format, or none at all."""


class BusyError(ForetellError):
    """A helper process does not answer, or cannot be started for lack of means: try again later."""

    http_status = 503


class ModelNotFoundError(ForetellError, LookupError):
    """No model has this name, or no file lies at this path."""

    http_status = 404


class DownloadError(ForetellError, OSError):
    """A model could not be fetched, verified or stored."""

    http_status = 502


class ModelFileError(ForetellError):
    """A model file is damaged, truncated or malicious; names the file, the part and the reason."""


class PrefixFileError(ForetellError):
    """A prefix's file is damaged, not to be read or written, or was made by something else."""


class UnsupportedModelError(ForetellError):
    """The file is sound, but its architecture, tensor type or tokenizer is not known here."""

    http_status = 501


class OutOfMemoryError(ForetellError, MemoryError):
    """A model takes more memory than there is."""


class SettingWarning(UserWarning):
    """A setting is legal, and yet unlikely to be meant."""


class NumericalError(ForetellError, ArithmeticError):
    """The model's logits are NaN, infinite, or leave no token possible."""
