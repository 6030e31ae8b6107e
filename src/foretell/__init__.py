"""Text from causal language models, one token at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from foretell.async_llm import AsyncLLM
    from foretell.beam_tree import BeamTree
    from foretell.comparison import Comparison, StrategyResult
    from foretell.config import GenerationConfig
    from foretell.conversation import Conversation
    from foretell.dropin import generate
    from foretell.engine.stats import EngineStats
    from foretell.errors import (
        ConfigError,
        DownloadError,
        ForetellError,
        ModelFileError,
        ModelNotFoundError,
        NumericalError,
        QueueFullError,
        RequestError,
        SettingWarning,
        UnsupportedModelError,
    )
    from foretell.explanation import Explanation
    from foretell.llm import LLM
    from foretell.outputs import (
        Chunk,
        GenerationOutput,
        NextDistribution,
        NextToken,
        Score,
        StepTrace,
        StopReason,
        TokenLogprob,
        Usage,
    )

# Where each public name lives: imported when first used, so that `import foretell` stays fast.
_HOMES = {
    "LLM": "llm",
    "generate": "dropin",
    "AsyncLLM": "async_llm",
    "BeamTree": "beam_tree",
    "GenerationConfig": "config",
    "Comparison": "comparison",
    "StrategyResult": "comparison",
    "Conversation": "conversation",
    "EngineStats": "engine.stats",
    "Explanation": "explanation",
    **dict.fromkeys(
        (
            "ConfigError",
            "DownloadError",
            "ForetellError",
            "ModelFileError",
            "ModelNotFoundError",
            "NumericalError",
            "QueueFullError",
            "RequestError",
            "SettingWarning",
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
            "StepTrace",
            "StopReason",
            "TokenLogprob",
            "Usage",
        ),
        "outputs",
    ),
}

__all__ = [
    "LLM",
    "AsyncLLM",
    "BeamTree",
    "Chunk",
    "Comparison",
    "ConfigError",
    "Conversation",
    "DownloadError",
    "EngineStats",
    "Explanation",
    "ForetellError",
    "GenerationConfig",
    "GenerationOutput",
    "ModelFileError",
    "ModelNotFoundError",
    "NextDistribution",
    "NextToken",
    "NumericalError",
    "QueueFullError",
    "RequestError",
    "Score",
    "SettingWarning",
    "StepTrace",
    "StopReason",
    "StrategyResult",
    "TokenLogprob",
    "UnsupportedModelError",
    "Usage",
    "__version__",
    "generate",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'foretell' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"foretell.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
