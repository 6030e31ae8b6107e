"""From what the user calls a model to a backend that runs it, and its tokenizer."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from foretell.backends.base import Backend
from foretell.errors import ConfigError, UnsupportedModelError
from foretell.hub import resolve
from foretell.hub.progress import say
from foretell.loading.progress import loading_bar
from foretell.loading.recommended import from_generation_config, read_recommended

if TYPE_CHECKING:
    from foretell.formats.checkpoint import Checkpoint
    from foretell.text.tokenizer import Tokenizer

BackendName = Literal["auto", "native", "transformers"]
BACKENDS = ("auto", "native", "transformers")

DEFAULTS: dict[str, Any] = {
    "quantize": None,
    "device": None,
    "dtype": None,
    "threads": None,
    "activations": "int8",
    "kv_dtype": "float16",
    "context_length": None,
    "num_blocks": None,
    "kv_share": None,
}
TORCH_SETTINGS = ("device", "dtype")
TRANSFORMERS_SETTINGS = ("context_length", "num_blocks", *TORCH_SETTINGS)
EXTRA = "pip install 'foretell[transformers]'"


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to run, its tokenizer, and the settings that its files recommend.

    `generation_config` is what a folder's generation_config.json, or a model of transformers, says
    as a whole.
    """

    backend: Backend
    tokenizer: Tokenizer
    recommended: dict[str, Any] = field(default_factory=dict)
    generation_config: dict[str, Any] = field(default_factory=dict)


def load_model(
    model: object,
    tokenizer: object,
    settings: Mapping[str, Any],
    *,
    backend: BackendName = "auto",
    revision: str | None = None,
) -> LoadedModel:
    """Load a model by name or path, or take over an object that is one.

    Args:
        model: a known name, a GGUF file, a checkpoint's folder or a hub id; a model of
            transformers; or a `Backend`.
        tokenizer: in place of the model's own: foretell's, or one of transformers; or None.
        settings: by name, those of `DEFAULTS`.
        backend: what is to run it; "auto" takes native where it can.
        revision: branch, tag or commit of a hub id.

    Raises:
        ConfigError: a setting has no effect on this model.
        ModelNotFoundError, DownloadError: there is no such model, or it could not be fetched.
        ModelFileError, UnsupportedModelError: its files are damaged, or of an unknown kind.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"backend={backend!r} must be one of {', '.join(map(repr, BACKENDS))}")
    given = {name: value for name, value in settings.items() if value != DEFAULTS[name]}
    if isinstance(model, (str, os.PathLike)):
        path = resolve(cast("str | os.PathLike[str]", model), revision)
        load = _load_folder if path.is_dir() else _load_file
        return load(path, tokenizer, given, backend)
    if revision is not None:
        raise ConfigError(f"revision={revision!r} has no effect on a model given as an object")
    if _is_of_transformers(model):
        return _take_model(model, tokenizer, given, backend)
    runner = check_backend(model, given, backend)
    if tokenizer is None:
        raise ConfigError("tokenizer=None: a model given as a Backend needs a tokenizer")
    return LoadedModel(runner, _take_tokenizer(tokenizer, runner.info.vocab_size))


def check_backend(
    model: object, given: Mapping[str, Any], backend: BackendName = "auto"
) -> Backend:
    """Take an object that runs a model; settings that would configure another are refused."""
    if not (hasattr(model, "forward") and hasattr(model, "info")):
        raise ConfigError(
            f"model={model!r:.80} must be a name, the path of a GGUF file or a checkpoint's "
            "folder, a model of transformers, or a Backend"
        )
    chosen = given if backend == "auto" else {"backend": backend, **given}
    for name, value in chosen.items():
        if value != DEFAULTS.get(name):
            raise ConfigError(f"{name}={value!r} has no effect on a model given as a Backend")
    return cast(Backend, model)


def _load_file(
    path: Path, tokenizer: object, given: Mapping[str, Any], backend: BackendName
) -> LoadedModel:
    from foretell.backends.native.backend import NativeBackend
    from foretell.formats.gguf import GGUFFile
    from foretell.text.tokenizer import Tokenizer

    if backend == "transformers":
        raise ConfigError(f"backend='transformers' cannot run the GGUF file {path}: native can")
    _refuse(TORCH_SETTINGS, given, f"the GGUF file {path}: backend='native' runs it, on the CPU")
    with GGUFFile.open(path) as file:
        if tokenizer is None:
            tokenizer = Tokenizer.from_gguf(file.metadata, source=str(path))
        recommended = read_recommended(file.metadata, path)
        size = sum(info.nbytes for info in file.tensors.values())
        with loading_bar(path.name, size) as show:
            runner = NativeBackend.load(file, on_packed=show, **given)
    return LoadedModel(runner, _take_tokenizer(tokenizer, runner.info.vocab_size), recommended)


def _load_folder(
    path: Path, tokenizer: object, given: Mapping[str, Any], backend: BackendName
) -> LoadedModel:
    from foretell.formats.json import read_optional_object
    from foretell.text.tokenizer import Tokenizer

    generation = path / "generation_config.json"
    values = read_optional_object(generation) or {}
    recommended = from_generation_config(values, generation)
    if tokenizer is None:
        tokenizer = Tokenizer.from_folder(path)
    runner = _run_folder(path, given, backend)
    taken = _take_tokenizer(tokenizer, runner.info.vocab_size)
    return LoadedModel(runner, taken, recommended, values)


def _run_folder(path: Path, given: Mapping[str, Any], backend: BackendName) -> Backend:
    """The backend that was asked for; with "auto" transformers where native cannot."""
    from foretell.formats.checkpoint import Checkpoint

    with Checkpoint.open(path) as checkpoint:  # what is wrong with its files is told by us
        runner = _run_native(checkpoint, given, backend)
    return runner or _run_transformers(path, given)


def _run_native(
    checkpoint: Checkpoint, given: Mapping[str, Any], backend: BackendName
) -> Backend | None:
    """The native backend; None where transformers is to run the folder."""
    if backend == "transformers" or _chooses_torch(checkpoint, given, backend):
        return None
    from foretell.backends.native.backend import NativeBackend

    size = sum(info.nbytes for info in checkpoint.tensors.values())
    try:
        with loading_bar(checkpoint.title, size) as show:
            return NativeBackend.load(checkpoint, on_packed=show, **given)
    except UnsupportedModelError as error:
        if backend == "native":
            raise UnsupportedModelError(f"{error}; backend='transformers' may run it") from None
        if not _has_transformers():
            raise UnsupportedModelError(f"{error}; transformers may run it: {EXTRA}") from None
        say(f"{error}: running it with transformers")
    return None


def _chooses_torch(checkpoint: Checkpoint, given: Mapping[str, Any], backend: BackendName) -> bool:
    """Whether a setting asks for transformers; ConfigError if native is asked for as well."""
    if backend == "native":
        _refuse(TORCH_SETTINGS, given, "backend='native': must be backend='transformers'")
    chosen = [f"{name}={given[name]!r}" for name in TORCH_SETTINGS if name in given]
    if chosen:
        say(f"{checkpoint.title}: {' and '.join(chosen)}: running it with transformers")
    return bool(chosen)


def _run_transformers(path: Path, given: Mapping[str, Any]) -> Backend:
    _check_for_transformers(given)
    from foretell.backends.transformers.backend import TransformersBackend

    return TransformersBackend.load(str(path), **given)


def _take_model(
    model: Any, tokenizer: object, given: Mapping[str, Any], backend: BackendName
) -> LoadedModel:
    """A model of transformers, as an object."""
    if backend == "native":
        raise ConfigError("backend='native' cannot run a model of transformers: give its folder")
    if tokenizer is None:
        raise ConfigError("tokenizer=None: a model of transformers needs its tokenizer")
    _refuse(TORCH_SETTINGS, given, "a model given as an object: move it with its method to()")
    _check_for_transformers(given)
    from foretell.backends.transformers.backend import TransformersBackend

    runner = TransformersBackend(model, **given)
    own = getattr(model, "generation_config", None)
    values = own.to_dict() if own is not None else {}
    taken = _take_tokenizer(tokenizer, runner.info.vocab_size, values.get("eos_token_id"))
    recommended = from_generation_config(values, "model.generation_config")
    return LoadedModel(runner, taken, recommended, values)


def _check_for_transformers(given: Mapping[str, Any]) -> None:
    others = [name for name in given if name not in TRANSFORMERS_SETTINGS]
    _refuse(others, given, "backend='transformers'")


def _refuse(names: Iterable[str], given: Mapping[str, Any], place: str) -> None:
    """Raise ConfigError if one of these settings was given where it has no effect."""
    for name in names:
        if name in given:
            raise ConfigError(f"{name}={given[name]!r} has no effect on {place}")


def _has_transformers() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers"))


def _is_of_transformers(model: object) -> bool:
    return all(hasattr(model, name) for name in ("generate", "config", "parameters"))


def _take_tokenizer(tokenizer: Any, vocab_size: int, eos: Any = None) -> Tokenizer:
    """foretell's tokenizer as it is; one of transformers taken over."""
    from foretell.text.tokenizer import Tokenizer

    if not hasattr(tokenizer, "backend_tokenizer"):
        return cast(Tokenizer, tokenizer)
    ends = eos if isinstance(eos, list) else [] if eos is None else [eos]
    return Tokenizer.from_transformers(tokenizer, vocab_size=vocab_size, eos_token_ids=ends)
