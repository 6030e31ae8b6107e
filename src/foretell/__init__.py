"""Text from causal language models, one token at a time."""

from __future__ import annotations

from foretell.version import __version__

TYPE_CHECKING = False  # so that typing, which takes a while, is not imported for it
if TYPE_CHECKING:
    from typing import Any

    from foretell.analysis.alternatives import Alternatives
    from foretell.analysis.beam_tree import BeamTree
    from foretell.analysis.compare import Comparison, StrategyResult
    from foretell.analysis.explain import Explanation
    from foretell.analysis.replay import Replay
    from foretell.async_llm import AsyncLLM
    from foretell.config import GenerationConfig
    from foretell.config.typed import GenerationSettings
    from foretell.conversation import Conversation
    from foretell.engine.stats import EngineStats
    from foretell.errors import (
        BusyError,
        ClosedError,
        ConfigError,
        ContextLengthError,
        DownloadError,
        ForetellError,
        ModelFileError,
        ModelNotFoundError,
        NumericalError,
        OutOfMemoryError,
        PrefixFileError,
        QueueFullError,
        ReceiptError,
        RequestError,
        SettingWarning,
        UnknownNameError,
        UnsupportedModelError,
    )
    from foretell.hf_generate import generate
    from foretell.llm import LLM
    from foretell.outputs import (
        BatchSummary,
        Chunk,
        ContinuationScore,
        GenerationOutput,
        KeptPrefix,
        NextDistribution,
        NextToken,
        Score,
        StepTrace,
        StopReason,
        TokenLogprob,
        ToolCall,
        Usage,
    )
    from foretell.receipts import Receipt
    from foretell.utils.progress import set_progress

# Where each public name lives: imported when first used, so that `import foretell` stays fast.
_HOMES = {
    "LLM": "llm",
    "generate": "hf_generate",
    "Alternatives": "analysis.alternatives",
    "AsyncLLM": "async_llm",
    "BeamTree": "analysis.beam_tree",
    "GenerationConfig": "config",
    "GenerationSettings": "config.typed",
    "Comparison": "analysis.compare",
    "StrategyResult": "analysis.compare",
    "Conversation": "conversation",
    "EngineStats": "engine.stats",
    "Explanation": "analysis.explain",
    "Receipt": "receipts",
    "Replay": "analysis.replay",
    "set_progress": "utils.progress",
    **dict.fromkeys(
        (
            "BusyError",
            "ClosedError",
            "ConfigError",
            "ContextLengthError",
            "DownloadError",
            "ForetellError",
            "ModelFileError",
            "ModelNotFoundError",
            "NumericalError",
            "OutOfMemoryError",
            "PrefixFileError",
            "QueueFullError",
            "ReceiptError",
            "RequestError",
            "SettingWarning",
            "UnknownNameError",
            "UnsupportedModelError",
        ),
        "errors",
    ),
    **dict.fromkeys(
        (
            "BatchSummary",
            "Chunk",
            "ContinuationScore",
            "GenerationOutput",
            "KeptPrefix",
            "NextDistribution",
            "NextToken",
            "Score",
            "StepTrace",
            "StopReason",
            "TokenLogprob",
            "ToolCall",
            "Usage",
        ),
        "outputs",
    ),
}

__all__ = [
    "LLM",
    "Alternatives",
    "AsyncLLM",
    "BatchSummary",
    "BeamTree",
    "BusyError",
    "Chunk",
    "ClosedError",
    "Comparison",
    "ConfigError",
    "ContextLengthError",
    "ContinuationScore",
    "Conversation",
    "DownloadError",
    "EngineStats",
    "Explanation",
    "ForetellError",
    "GenerationConfig",
    "GenerationOutput",
    "GenerationSettings",
    "KeptPrefix",
    "ModelFileError",
    "ModelNotFoundError",
    "NextDistribution",
    "NextToken",
    "NumericalError",
    "OutOfMemoryError",
    "PrefixFileError",
    "QueueFullError",
    "Receipt",
    "ReceiptError",
    "Replay",
    "RequestError",
    "Score",
    "SettingWarning",
    "StepTrace",
    "StopReason",
    "StrategyResult",
    "TokenLogprob",
    "ToolCall",
    "UnknownNameError",
    "UnsupportedModelError",
    "Usage",
    "__version__",
    "generate",
    "set_progress",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'foretell' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"foretell.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
