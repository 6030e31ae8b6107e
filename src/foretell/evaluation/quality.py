"""Several quantizations of one model: how good each is, beside how many bytes it has."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from foretell.errors import ConfigError
from foretell.evaluation.arguments import check_model, check_text
from foretell.evaluation.divergence import kl_divergence
from foretell.evaluation.results import ModelQuality, Quality
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from foretell.llm import LLM

PathName = str | os.PathLike[str]


def quality(
    reference: LLM,
    models: Sequence[str],
    text: str,
    *,
    open_model: Callable[[str], LLM] | None = None,
    reference_name: str = "reference",
    **options: Any,
) -> Quality:
    """Hold models against a reference, one after the other: one is open at a time beside it.

        with LLM("model-f16.gguf") as reference:
            print(quality(reference, ["model-q8_0.gguf", "model-q4_0.gguf"], text).to_dict())

    Args:
        reference: such as the model that was quantized.
        models: names or paths of models of its vocabulary.
        text: what all read.
        open_model: opens a model by its name; None for `LLM` with a context as long as a window
            needs.
        reference_name: what it is to be called.
        options: see `kl_divergence`, whose errors these are.
    """
    check_model("reference", reference)
    check_text(text)
    if isinstance(models, str):
        raise ConfigError(f"models={quote(models)} must be a list of names or paths")
    found = []
    for name in models:
        with (open_model or _open)(name) as model:
            figures = kl_divergence(model, reference, text, **options)
            info = model.info
        found.append(ModelQuality(name, info.description, info.weight_bytes, figures))
    info = reference.info
    return Quality(reference_name, info.description, info.weight_bytes, found)


def _open(name: str) -> LLM:
    from foretell.llm import LLM

    return LLM(name)
