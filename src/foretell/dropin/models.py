"""From what the user calls a model to where its requests run (row 1 of the design)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foretell.backends.base import BackendInfo
from foretell.dropin.arrays import Arrays, NumpyArrays, tensors_on
from foretell.dropin.settings import fields_of_model
from foretell.engine.engine import Engine
from foretell.engine.mailroom import Mailroom
from foretell.errors import ConfigError, ModelFileError, UnsupportedModelError
from foretell.llm import LLM

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Source:
    """A model that runs requests.

    Attributes:
        room: where they are opened.
        info: what runs them.
        own: what the model's own files say of generating, by transformers' names.
        tokenizer: None where there is none.
        arrays: what comes back for text.
    """

    room: Mailroom
    info: BackendInfo
    own: Mapping[str, Any]
    tokenizer: Tokenizer | None
    arrays: Arrays


@contextmanager
def opened(model: Any, tokenizer: Any) -> Iterator[Source]:
    """The source that a model is; what was loaded for it is let go of at the end.

    Args:
        model: a transformers model, an LLM, or what an LLM is made of.
        tokenizer: the user's, transformers' or foretell's; None for the model's own.
    """
    if is_transformers_model(model):
        yield _source_of_object(model, tokenizer)
    elif isinstance(model, LLM):
        yield _source_of_llm(model, model.recommended)
    else:
        with LLM(model, tokenizer=_own_tokenizer(tokenizer)) as llm:
            yield _source_of_llm(llm, _own_settings(model, llm))


def is_transformers_model(model: Any) -> bool:
    """Whether it is a transformers model object."""
    return hasattr(model, "generation_config") and hasattr(model, "forward")


def _source_of_object(model: Any, tokenizer: Any) -> Source:
    from foretell.backends.transformers import TransformersBackend

    if model.config.is_encoder_decoder:
        raise UnsupportedModelError(
            f"model {type(model).__name__} has an encoder: must be a causal language model"
        )
    backend = TransformersBackend(model)
    return Source(
        Mailroom(Engine(backend)),
        backend.info,
        fields_of_model(model.generation_config),
        _own_tokenizer(tokenizer),
        tensors_on(model.device),
    )


def _source_of_llm(llm: LLM, own: Mapping[str, Any]) -> Source:
    eos = [llm.tokenizer.eos_token_id, *sorted(llm.tokenizer.eos_token_ids)]
    known = {
        "bos_token_id": llm.tokenizer.bos_token_id,
        "eos_token_id": [*dict.fromkeys(token for token in eos if token is not None)] or None,
    }
    stated = {name: value for name, value in own.items() if value is not None}
    return Source(llm.room, llm.info, {**known, **stated}, llm.tokenizer, NumpyArrays())


def _own_settings(model: str | os.PathLike[str], llm: LLM) -> Mapping[str, Any]:
    """A folder's generation_config.json, as a whole; of other models what they recommend."""
    path = Path(model) / "generation_config.json" if isinstance(model, (str, os.PathLike)) else None
    if path is None or not path.is_file():
        return llm.recommended
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelFileError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ModelFileError(f"{path} holds a {type(values).__name__}: must hold a JSON object")
    return values


def _own_tokenizer(tokenizer: Any) -> Tokenizer | None:
    from foretell.text.tokenizer import Tokenizer

    if tokenizer is None or isinstance(tokenizer, Tokenizer):
        return tokenizer
    raise ConfigError(
        f"tokenizer is {type(tokenizer).__name__}: must be foretell's or a fast one of transformers"
    )
