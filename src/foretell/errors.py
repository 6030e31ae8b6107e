"""Everything that foretell raises on purpose.

ForetellError
├── ConfigError             a setting is unknown, out of range or contradicts another
├── RequestError            a prompt is empty, or the request cannot fit the context or KV pool
│   └── QueueFullError      as many requests wait as may
├── ModelNotFoundError      no such model name, file or cached download
├── DownloadError           a model could not be fetched or stored
├── ModelFileError          a model file is damaged, truncated or malicious
├── UnsupportedModelError   the file is sound, but foretell cannot run what is in it
└── NumericalError          the model answered with NaN, or with no token possible

A message names the thing, its value and what would be right, in one line. The command line prints
it and exits with `ForetellError.exit_code`; nothing else reaches the user as a traceback.
"""


class ForetellError(Exception):
    """Root of the tree; catching it catches every error that foretell raises on purpose."""

    exit_code = 1


class ConfigError(ForetellError, ValueError):
    """A setting is unknown, out of range or contradicts another."""

    exit_code = 2


class RequestError(ForetellError, ValueError):
    """A prompt is empty, or the request cannot fit the context or the KV pool."""

    exit_code = 2


class QueueFullError(RequestError):
    """As many requests wait as the engine was told to let wait: try again later."""


class ModelNotFoundError(ForetellError, LookupError):
    """No model has this name, or no file lies at this path."""


class DownloadError(ForetellError, OSError):
    """A model could not be fetched, verified or stored."""


class ModelFileError(ForetellError):
    """A model file is damaged, truncated or malicious; names the file, the part and the reason."""


class UnsupportedModelError(ForetellError):
    """The file is sound, but its architecture, tensor type or tokenizer is not known here."""


class SettingWarning(UserWarning):
    """A setting is legal, and yet unlikely to be meant."""


class NumericalError(ForetellError, ArithmeticError):
    """The model's logits are NaN, infinite, or leave no token possible."""
