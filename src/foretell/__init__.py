"""Text from causal language models, one token at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from foretell.config import GenerationConfig
    from foretell.errors import (
        ConfigError,
        DownloadError,
        ForetellError,
        ModelFileError,
        ModelNotFoundError,
        NumericalError,
        RequestError,
        UnsupportedModelError,
    )
    from foretell.llm import LLM
    from foretell.outputs import (
        Chunk,
        GenerationOutput,
        NextDistribution,
        NextToken,
        Score,
        TokenLogprob,
        Usage,
    )

# Where each public name lives: imported when first used, so that `import foretell` stays fast.
_HOMES = {
    "LLM": "llm",
    "GenerationConfig": "config",
    **dict.fromkeys(
        (
            "ConfigError",
            "DownloadError",
            "ForetellError",
            "ModelFileError",
            "ModelNotFoundError",
            "NumericalError",
            "RequestError",
            "UnsupportedModelError",
        ),
        "errors",
    ),
    **dict.fromkeys(
        (
            "Chunk",
            "GenerationOutput",
            "NextDistribution",
            "NextToken",
            "Score",
            "TokenLogprob",
            "Usage",
        ),
        "outputs",
    ),
}

__all__ = [
    "LLM",
    "Chunk",
    "ConfigError",
    "DownloadError",
    "ForetellError",
    "GenerationConfig",
    "GenerationOutput",
    "ModelFileError",
    "ModelNotFoundError",
    "NextDistribution",
    "NextToken",
    "NumericalError",
    "RequestError",
    "Score",
    "TokenLogprob",
    "UnsupportedModelError",
    "Usage",
    "__version__",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'foretell' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"foretell.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
