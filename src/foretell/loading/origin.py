"""What outputs come from: a model, how it was opened, and the engine; receipts tell it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foretell.backends.base import BackendInfo
from foretell.backends.native.options import AdapterChoice
from foretell.config import GenerationConfig
from foretell.config.presets import MODEL_PRESET
from foretell.config.settings import FUNCTION_SETTINGS
from foretell.errors import ForetellError
from foretell.loading.fingerprint import files_of, model_sha256, tokenizer_sha256
from foretell.loading.load import LoadedModel
from foretell.loading.options import OPTIONS, ModelOptions
from foretell.outputs import GenerationOutput
from foretell.receipts.facts import AdapterFacts, ModelFacts, TokenFact
from foretell.receipts.receipt import Receipt
from foretell.version import __version__

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

Stamp = tuple[tuple[str, int, int], ...]
"""Names, sizes and times of files: while these stay, so do their bytes."""


@dataclass(frozen=True)
class Place:
    """Files, as they were at some time.

    Attributes:
        path: a file, or a folder.
        stamp: what they were then; None where they could not be read.
    """

    path: Path
    stamp: Stamp | None

    @classmethod
    def now(cls, path: Path) -> Place:
        """The files at a path, as they are."""
        return cls(path, _stamp(path))

    @property
    def sha256(self) -> str | None:
        """Of their bytes; None where these have been changed since."""
        found = None if self.stamp is None else _hash(self.path, self.stamp)
        return found if _stamp(self.path) == self.stamp else None


def _stamp(path: Path) -> Stamp | None:
    try:
        found = [(file.name, file.stat()) for file in files_of(path)]
    except OSError:
        return None
    return tuple((name, info.st_size, info.st_mtime_ns) for name, info in found)


@lru_cache(maxsize=64)
def _hash(path: Path, stamp: Stamp) -> str | None:
    """The hash, once for files that are the same: several models may be open."""
    if _stamp(path) != stamp:
        return None
    try:
        return model_sha256(path)
    except ForetellError:
        return None


class ModelOrigin:
    """Where a model's outputs come from. Nothing is hashed before a receipt is asked for.

    Attributes:
        given: the name or path that the user gave; None where it was an object.

    Args:
        model: what the user called it.
        options: how it was opened.
        loaded: what came of it.

    Attributes:
        name: what people call the model; None for an object.
    """

    def __init__(self, model: object, options: ModelOptions, loaded: LoadedModel) -> None:
        self._options = options
        self._backend = loaded.backend.info.name
        self._weights = weights_of(loaded.backend.info)
        self._tokenizer: Tokenizer | None = loaded.tokenizer
        self._model = None if loaded.path is None else Place.now(loaded.path)
        self.name = _name_of(model, loaded.path)
        self.given = os.fspath(model) if isinstance(model, (str, os.PathLike)) else None
        self._adapters = _placed(options)
        self._taken: tuple[int, ...] = ()

    @cached_property
    def facts(self) -> ModelFacts:
        """What tells the model from others; its files are read for it."""
        return ModelFacts(
            name=self.name,
            sha256=None if self._model is None else self._model.sha256,
            tokenizer_sha256=self._tokenizer_sha256,
            backend=self._backend,
            weights=self._weights,
            options=telling(self._options),
            adapters=tuple(_adapter(one, place) for one, place in self._adapters),
            speculation=_speculation(self._options.speculation),
        )

    @cached_property
    def _tokenizer_sha256(self) -> str:
        assert self._tokenizer is not None
        found = tokenizer_sha256(self._tokenizer)
        self._tokenizer = None  # it is as large as the vocabulary
        return found

    def healed(self, taken: Sequence[int]) -> HealedOrigin:
        """The same, of an output from whose prompt these ids were taken."""
        return HealedOrigin(self, tuple(taken))

    def receipt(self, output: GenerationOutput) -> Receipt:
        """What it takes to make an output again."""
        settings = output.config.as_dict()
        reason = output.stop_reason
        return Receipt(
            foretell=__version__,
            model=self.facts,
            settings={**settings, "dialect": output.config.dialect},
            stated=_stated(output.config),
            functions=functions_in(output.config),
            prompt_token_ids=tuple(output.prompt_token_ids),
            index=output.index,
            token_ids=tuple(output.token_ids),
            text=output.text,
            finish_reason=output.finish_reason,
            stop_kind=None if reason is None else reason.kind,
            stop_value=None if reason is None else reason.value,
            num_tokens=output.usage.completion_tokens,
            score=_finite(output.score),
            logprobs=token_facts(output),
        )

    def __getstate__(self) -> dict[str, Any]:
        """Outputs may be sent to other processes, tokenizers may not."""
        return {**self.__dict__, "_tokenizer_sha256": self._tokenizer_sha256, "_tokenizer": None}


@dataclass(frozen=True)
class HealedOrigin:
    """The origin of an output whose prompt was healed.

    Attributes:
        whole: that of the others.
        taken: what was taken back of the prompt.
    """

    whole: ModelOrigin
    taken: tuple[int, ...]

    def receipt(self, output: GenerationOutput) -> Receipt:
        """As of the others, with the prompt as it was given."""
        found = self.whole.receipt(output)
        return replace(found, prompt_token_ids=(*found.prompt_token_ids, *self.taken))


def _stated(config: GenerationConfig) -> tuple[str, ...]:
    """The settings from which the others follow; what a model recommends counts as stated."""
    return tuple(
        name for name in config.stated if (name, config.preset) != ("preset", MODEL_PRESET)
    )


def functions_in(config: GenerationConfig) -> tuple[str, ...]:
    """The settings that have functions of the user's."""
    return tuple(name for name in FUNCTION_SETTINGS if _has_function(getattr(config, name)))


def _has_function(value: Any) -> bool:
    several = value if isinstance(value, (list, tuple)) else (value,)
    return any(map(callable, several))


def token_facts(output: GenerationOutput) -> tuple[TokenFact, ...] | None:
    """What was reported of an output's tokens."""
    if output.logprobs is None:
        return None
    return tuple(
        TokenFact(_finite(one.logprob), tuple((t.token_id, _finite(t.logprob)) for t in one.top))
        for one in output.logprobs
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _name_of(model: object, path: Path | None) -> str | None:
    """What people call it; of a path the last part, since folders are nobody else's business."""
    if path is None or not isinstance(model, (str, os.PathLike)):
        return None
    given = os.fspath(model)
    is_path = not isinstance(model, str) or Path(given).expanduser().exists()
    return path.name if is_path else given


def weights_of(info: BackendInfo) -> str:
    """How weights are kept, without the machine that they are kept on."""
    parts = info.description.split(", ")  # of native the last two: instruction set and threads
    return ", ".join(parts[:-2] if info.name == "native" else parts)


def adapter_facts(options: ModelOptions) -> tuple[AdapterFacts, ...]:
    """What tells the adapters from others; their files are read for it."""
    return tuple(_adapter(one, place) for one, place in _placed(options))


def _placed(options: ModelOptions) -> list[tuple[AdapterChoice, Place]]:
    return [(one, Place.now(one.path)) for one in _adapters_of(options)]


def _adapter(one: AdapterChoice, place: Place) -> AdapterFacts:
    return AdapterFacts(one.path.name, place.sha256, one.weight)


def telling(options: ModelOptions) -> dict[str, Any]:
    """The options that change what is computed, where they were stated; adapters are told apart."""
    return {
        name: value if isinstance(value, (bool, int)) else str(value)
        for name, value in options.stated.items()
        if OPTIONS[name].changes_numbers
    }


def _adapters_of(options: ModelOptions) -> Sequence[AdapterChoice]:
    return options.adapters  # type: ignore[return-value]


def _speculation(option: Any) -> str | None:
    return option if option is None or isinstance(option, str) else next(iter(option))
