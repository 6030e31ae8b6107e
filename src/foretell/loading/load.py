"""From what the user calls a model to a backend that runs it, and its tokenizer."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from foretell.backends.base import Backend
from foretell.errors import (
    ConfigError,
    ForetellError,
    ModelFileError,
    OutOfMemoryError,
    UnsupportedModelError,
)
from foretell.formats.file_names import GENERATION_CONFIG
from foretell.formats.split_names import whole_name
from foretell.hub import resolve
from foretell.inputs.recommended import Recommended
from foretell.loading.model_files import ModelFiles
from foretell.loading.options import ModelOptions
from foretell.loading.progress import loading_bar
from foretell.loading.recommended import from_generation_config, read_recommended
from foretell.utils.background import Background
from foretell.utils.extras import how_to_install
from foretell.utils.notices import caution
from foretell.utils.quoting import escape, name_some, quote

if TYPE_CHECKING:
    from foretell.backends.native.backend import NativeBackend
    from foretell.backends.native.options import AdapterChoice
    from foretell.backends.transformers.backend import TransformersBackend
    from foretell.formats.checkpoint import Checkpoint
    from foretell.formats.gguf import GGUFFile
    from foretell.text.tokenizer import Tokenizer

DEFAULTS = ModelOptions()


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to run, its tokenizer, and the settings that its files recommend.

    `generation_config` is what a folder's generation_config.json, or a model of transformers, says
    as a whole. `path` is that of its file or folder, `files` what it was read from; None of an
    object.
    """

    backend: Backend
    tokenizer: Tokenizer
    recommended: Recommended = field(default_factory=Recommended)
    generation_config: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None
    files: ModelFiles | None = None


def load_model(
    model: object, tokenizer: object = None, options: ModelOptions = DEFAULTS
) -> LoadedModel:
    """Load a model by name or path, or take over an object that is one.

    Args:
        model: a known name, a GGUF file, a checkpoint's folder or a hub id; a model of
            transformers; or a `Backend`.
        tokenizer: in place of the model's own: foretell's, or one of transformers; or None.
        options: what is to run it, and how.

    Raises:
        ConfigError: an option has no effect on this model.
        ModelNotFoundError, DownloadError: there is no such model, or it could not be fetched.
        ModelFileError, UnsupportedModelError: its files are damaged, or of an unknown kind.
        OutOfMemoryError: it takes more memory than there is.
    """
    if isinstance(model, (str, os.PathLike)):
        path = resolve(cast("str | os.PathLike[str]", model), options.revision)
        load = _load_folder if path.is_dir() else _load_file
        files = ModelFiles.note(path, cast("tuple[AdapterChoice, ...]", options.adapters))
        try:
            return replace(load(path, tokenizer, options), path=path, files=files)
        except OutOfMemoryError:
            raise
        except MemoryError as error:  # of a tokenizer, of JSON
            raise OutOfMemoryError(
                f"{escape(path)}: too little memory to load the model"
            ) from error
    if options.revision is not None:
        raise ConfigError(
            f"revision={quote(options.revision)} has no effect on a model given as an object"
        )
    if _is_of_transformers(model):
        return _take_model(model, tokenizer, options)
    runner = check_backend(model, options)
    if tokenizer is None:
        raise ConfigError("tokenizer=None: a model given as a Backend needs a tokenizer")
    return LoadedModel(runner, _take_tokenizer(tokenizer, runner.info.vocab_size))


def check_backend(model: object, options: ModelOptions) -> Backend:
    """Take an object that runs a model; options that would configure another are refused."""
    if not (hasattr(model, "forward") and hasattr(model, "info")):
        raise ConfigError(
            f"model={quote(model)} must be a name, the path of a GGUF file or a checkpoint's "
            "folder, a model of transformers, or a Backend"
        )
    chosen = {} if options.backend == "auto" else {"backend": options.backend}
    _refuse({**chosen, **options.stated}, "a model given as a Backend")
    return cast(Backend, model)


def _load_file(path: Path, tokenizer: object, options: ModelOptions) -> LoadedModel:
    from foretell.backends.native._core import give_back_freed
    from foretell.backends.native.architectures import read_model
    from foretell.formats.gguf import GGUFFile
    from foretell.text.tokenizer import Tokenizer

    if options.backend == "transformers":
        raise ConfigError(
            f"backend='transformers' cannot run the GGUF file {escape(path)}: native can"
        )
    where = f"the GGUF file {escape(path)}: backend='native' runs it, on the CPU"
    _refuse(options.not_of("native"), where)
    with GGUFFile.open(path) as file:
        vocab_size = read_model(file).shape.vocab_size  # what cannot run is said first
        recommended = read_recommended(file.metadata, file.path)

        def make_tokenizer() -> Tokenizer:
            if tokenizer is not None:
                return _take_tokenizer(tokenizer, vocab_size)
            made = Tokenizer.from_gguf(file.metadata, source=escape(file.path))
            _check_vocabulary(file.path, made, vocab_size)
            return made

        with Background(make_tokenizer) as made:  # weights are packed without Python's lock
            runner = _pack_file(file, options, made)
            loaded = LoadedModel(runner, made.result(), recommended)
        file.metadata.clear()  # as large as the vocabulary, and read
    give_back_freed()
    return loaded


def _pack_file(file: GGUFFile, options: ModelOptions, tokenizer: Background[Tokenizer]) -> Backend:
    """The backend; what is wrong with the tokenizer is said first, and ends it early."""
    from foretell.backends.native.backend import NativeBackend

    size = sum(info.nbytes for info in file.tensors.values())
    with loading_bar(whole_name(file.path.name), size) as show:

        def on_packed(num_bytes: int) -> None:
            tokenizer.check()
            show(num_bytes)

        try:
            return NativeBackend.load(file, on_packed=on_packed, **options.stated)
        except ForetellError:
            tokenizer.result()
            raise


def _check_vocabulary(path: Path, tokenizer: Tokenizer, num_rows: int) -> None:
    """ModelFileError unless a GGUF file has a row for each token, as llama.cpp asks for."""
    if tokenizer.vocab_size != num_rows:
        raise ModelFileError(
            f"{escape(path)}: tokenizer.ggml.tokens lists {tokenizer.vocab_size} tokens, "
            f"token_embd.weight has {num_rows} rows: must be the same number"
        )


def _load_folder(path: Path, tokenizer: object, options: ModelOptions) -> LoadedModel:
    from foretell.formats.checkpoint import Checkpoint
    from foretell.formats.json import read_optional_object
    from foretell.text.tokenizer import Tokenizer

    with Checkpoint.open(path) as checkpoint:  # what is wrong with its files is said by us
        _check_architecture(checkpoint, options)
    generation = path / GENERATION_CONFIG
    values = read_optional_object(generation) or {}
    recommended = from_generation_config(values, generation)
    if tokenizer is None:
        tokenizer = Tokenizer.from_folder(path)
    runner = _run_folder(path, options)
    taken = _take_tokenizer(tokenizer, runner.info.vocab_size)
    return LoadedModel(runner, taken, recommended, values)


def _run_folder(path: Path, options: ModelOptions) -> NativeBackend | TransformersBackend:
    """The backend that was asked for; with "auto" transformers where native cannot."""
    from foretell.formats.checkpoint import Checkpoint

    with Checkpoint.open(path) as checkpoint:
        runner = _run_native(checkpoint, options) or _run_transformers(path, options)
        if runner.unread:
            title, names = escape(checkpoint.title), name_some(runner.unread)
            caution(f"{title}: left out, as no model of its kind has {names}")
    return runner


def _run_native(checkpoint: Checkpoint, options: ModelOptions) -> NativeBackend | None:
    """The native backend; None where transformers is to run the folder."""
    if options.backend == "transformers" or _chooses_torch(checkpoint, options):
        return None
    from foretell.backends.native.backend import NativeBackend

    size = sum(info.nbytes for info in checkpoint.tensors.values())
    try:
        with loading_bar(checkpoint.title, size) as show:
            return NativeBackend.load(checkpoint, on_packed=show, **options.stated)
    except UnsupportedModelError as error:
        _leave_to_transformers(error, options)
        caution(f"{error}: running it with transformers")
    return None


def _check_architecture(checkpoint: Checkpoint, options: ModelOptions) -> None:
    """UnsupportedModelError if no backend in question knows the architecture.

    Said before the tokenizer is looked at, which other architectures need not have.
    """
    if options.backend != "transformers" and not options.not_of("native"):
        from foretell.backends.native.architectures import read_model

        try:
            read_model(checkpoint)
        except UnsupportedModelError as error:
            _leave_to_transformers(error, options)
        else:
            return
    if options.backend != "native" and _has_transformers():
        from foretell.backends.transformers.backend import read_config

        read_config(str(checkpoint.path))


def _leave_to_transformers(error: UnsupportedModelError, options: ModelOptions) -> None:
    """Raise what native says, unless transformers may be asked."""
    if options.backend == "native":
        raise UnsupportedModelError(f"{error}; backend='transformers' may run it") from None
    if not _has_transformers():
        command = how_to_install("transformers")
        raise UnsupportedModelError(f"{error}; transformers may run it: {command}") from None


def _chooses_torch(checkpoint: Checkpoint, options: ModelOptions) -> bool:
    """Whether an option asks for transformers; ConfigError if native is asked for as well."""
    others = options.not_of("native")
    if options.backend == "native":
        _refuse(others, "backend='native': must be backend='transformers'")
    chosen = [f"{name}={quote(value)}" for name, value in others.items()]
    if chosen:
        caution(f"{checkpoint.title}: {' and '.join(chosen)}: running it with transformers")
    return bool(chosen)


def _run_transformers(path: Path, options: ModelOptions) -> TransformersBackend:
    _refuse(options.not_of("transformers"), "backend='transformers'")
    from foretell.backends.native.machine import out_of_memory
    from foretell.backends.transformers.backend import TransformersBackend

    try:
        return TransformersBackend.load(str(path), **options.stated)
    except MemoryError as error:
        size = sum(file.stat().st_size for file in path.glob("*.safetensors"))
        raise out_of_memory(escape(str(path)), size) from error


def _take_model(model: Any, tokenizer: object, options: ModelOptions) -> LoadedModel:
    """A model of transformers, as an object."""
    if options.backend == "native":
        raise ConfigError("backend='native' cannot run a model of transformers: give its folder")
    if tokenizer is None:
        raise ConfigError("tokenizer=None: a model of transformers needs its tokenizer")
    _refuse(options.not_of("native"), "a model given as an object: move it with its method to()")
    _refuse(options.not_of("transformers"), "backend='transformers'")
    from foretell.backends.transformers.backend import TransformersBackend

    runner = TransformersBackend(model, **options.stated)
    own = getattr(model, "generation_config", None)
    values = own.to_dict() if own is not None else {}
    taken = _take_tokenizer(tokenizer, runner.info.vocab_size, values.get("eos_token_id"))
    recommended = from_generation_config(values, "model.generation_config")
    return LoadedModel(runner, taken, recommended, values)


def _refuse(without_effect: Mapping[str, Any], where: str) -> None:
    """Raise ConfigError for the first of these options, if there is one: it has no effect there."""
    for name, value in without_effect.items():
        raise ConfigError(f"{name}={quote(value)} has no effect on {where}")


def _has_transformers() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers"))


def _is_of_transformers(model: object) -> bool:
    return all(hasattr(model, name) for name in ("generate", "config", "parameters"))


def _take_tokenizer(tokenizer: Any, vocab_size: int, eos: Any = None) -> Tokenizer:
    """foretell's tokenizer as it is; one of transformers taken over; ConfigError for others."""
    from foretell.text.tokenizer import Tokenizer

    if isinstance(tokenizer, Tokenizer):
        return tokenizer
    ends = eos if isinstance(eos, list) else [] if eos is None else [eos]
    return Tokenizer.from_transformers(tokenizer, vocab_size=vocab_size, eos_token_ids=ends)
