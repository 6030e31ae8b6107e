"""From what the user calls a model to where its requests run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretell.backends.base import BackendInfo
from foretell.config.ranges import MAX_SAMPLES
from foretell.engine.client import EngineClient
from foretell.engine.engine import Engine
from foretell.engine.settings import EngineSettings
from foretell.errors import UnsupportedModelError
from foretell.hf_generate.settings import fields_of_model
from foretell.llm import LLM
from foretell.utils.tensors import Arrays, NumpyArrays, tensors_on

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

NUM_BLOCKS = 1 << 16
MAX_BATCH_TOKENS = 2048
"""Of a transformers model: memory is taken only for what is in use."""


@dataclass(frozen=True)
class Source:
    """A model that runs requests.

    Attributes:
        client: where they are opened.
        info: what runs them.
        own: what the model's own files say of generating, by transformers' names.
        tokenizer: None where there is none.
        arrays: what comes back for text.
    """

    client: EngineClient
    info: BackendInfo
    own: Mapping[str, Any]
    tokenizer: Tokenizer | None
    arrays: Arrays


@contextmanager
def opened(model: Any, tokenizer: Any) -> Iterator[Source]:
    """The source that a model is; what was loaded for it is let go of at the end.

    Args:
        model: a transformers model, an LLM, or what an LLM is made of.
        tokenizer: the user's, transformers' or foretell's; None for the model's own. An LLM has
            its own.
    """
    if is_transformers_model(model):
        yield _source_of_object(model, tokenizer)
    elif isinstance(model, LLM):
        yield _source_of_llm(model)
    else:
        with LLM(model, tokenizer=tokenizer, max_running=MAX_SAMPLES) as llm:
            yield _source_of_llm(llm)


def is_transformers_model(model: Any) -> bool:
    """Whether it is a transformers model object."""
    return hasattr(model, "generation_config") and hasattr(model, "forward")


def _source_of_object(model: Any, tokenizer: Any) -> Source:
    from foretell.backends.transformers.backend import TransformersBackend

    if model.config.is_encoder_decoder:
        raise UnsupportedModelError(
            f"model {type(model).__name__} has an encoder: must be a causal language model"
        )
    backend = TransformersBackend(model, num_blocks=NUM_BLOCKS, max_batch_tokens=MAX_BATCH_TOKENS)
    return Source(
        EngineClient(Engine(backend, EngineSettings(max_running=MAX_SAMPLES))),
        backend.info,
        fields_of_model(model.generation_config),
        _own_tokenizer(tokenizer, backend.info.vocab_size),
        tensors_on(model.device),
    )


def _source_of_llm(llm: LLM) -> Source:
    """What its files say as a whole, else what they recommend; and its tokenizer's ids."""
    eos = [llm.tokenizer.eos_token_id, *sorted(llm.tokenizer.eos_token_ids)]
    known = {
        "bos_token_id": llm.tokenizer.bos_token_id,
        "eos_token_id": [*dict.fromkeys(token for token in eos if token is not None)] or None,
    }
    stated = llm.generation_config or llm.recommended
    own = {**known, **{name: value for name, value in stated.items() if value is not None}}
    return Source(llm._require_open().client, llm.info, own, llm.tokenizer, NumpyArrays())


def _own_tokenizer(tokenizer: Any, vocab_size: int | None = None) -> Tokenizer | None:
    from foretell.text.tokenizer import Tokenizer

    if tokenizer is None or isinstance(tokenizer, Tokenizer):
        return tokenizer
    return Tokenizer.from_transformers(tokenizer, vocab_size=vocab_size)
