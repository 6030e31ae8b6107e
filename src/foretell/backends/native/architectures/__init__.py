"""Families of models, a file each, found by the names that model files have for them.

A family's file ends with `FAMILY`, its class, and begins with who it is, whose it is, and what it
has of its own, of which docs/families.md is made. docs/contributing.md adds one.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from itertools import groupby

from foretell.backends.native.model import Model
from foretell.backends.native.unread import refuse_other_types, refuse_unread_keys
from foretell.backends.native.weights.forms import read_form
from foretell.backends.native.weights.spellings import find_tensor
from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import escape, name_some, quote


def read_model(file: GGUFFile | Checkpoint) -> Model:
    """The model in this file or folder.

    UnsupportedModelError if its architecture is not known, its way of quantizing, or what it says
    of its computation.
    """
    return _read_checkpoint(file) if isinstance(file, Checkpoint) else _read_gguf(file)


def _read_gguf(file: GGUFFile) -> Model:
    architecture = file.metadata.get("general.architecture")
    for family in families(architecture):
        if architecture in family.ARCHITECTURES:
            refuse_other_types(file)
            reader = MetadataReader.of_architecture(file.metadata, architecture, escape(file.path))
            model = family.from_gguf(file, reader)
            refuse_unread_keys(reader)
            return model
    known = by_letter(name for family in families() for name in family.ARCHITECTURES)
    raise UnsupportedModelError(
        f"{escape(file.path)}: architecture {quote(architecture)} is not supported; supported: "
        f"{known}{file.doubt}"
    )


def _read_checkpoint(checkpoint: Checkpoint) -> Model:
    read_form(checkpoint)  # or say why not
    model_type = checkpoint.config.get("model_type")
    for family in families(model_type):
        if model_type in family.MODEL_TYPES:
            model = family.from_config(checkpoint)
            _check_rows(checkpoint, model)
            return model
    known = _likest_first(model_type, [name for one in families() for name in one.MODEL_TYPES])
    raise UnsupportedModelError(
        f"{escape(checkpoint.path)}: model_type {quote(model_type)} is not known natively; "
        f"known are {name_some(known)}"
    )


def _check_rows(checkpoint: Checkpoint, model: Model) -> None:
    """ModelFileError unless the embedding has a row for each token that the config speaks of.

    The other shapes are checked as weights are read; this one before a tokenizer is made so large.
    """
    name = find_tensor(checkpoint, model.HF_NAMES["token_embd.weight"].name)
    shape = checkpoint.tensors[name].shape if name is not None else ()
    if len(shape) == 2 and shape[0] != model.shape.vocab_size:
        raise ModelFileError(
            f"{escape(checkpoint.path_of(str(name)))}: tensor {quote(name)} has {shape[0]} rows, "
            f"where config.json asks for {model.shape.vocab_size}: must be as many"
        )


def _likest_first(name: object, known: list[str]) -> list[str]:
    """Names in the order of their letters, but for those most like this one, which come first."""
    import difflib  # takes a while, and is for messages alone

    like = difflib.get_close_matches(str(name)[:40], known)
    return list(dict.fromkeys([*like, *sorted(known)]))


def by_letter(names: Iterable[str]) -> str:
    """Names in the order of their letters, with a sign where another letter begins."""
    letters = (list(group) for _, group in groupby(sorted(names), key=lambda name: name[0]))
    return " · ".join(", ".join(group) for group in letters)


def families(likely: object = None) -> Iterator[type[Model]]:
    """Each family, imported as it is reached; first those with whose file's name `likely` begins.

    The longest name comes first: of `glm4` it is glm4.py, and glm.py comes next.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    shared = {name: len(name) if str(likely).startswith(name) else 0 for name in names}
    for name in sorted(names, key=lambda name: -shared[name]):
        family: type[Model] = importlib.import_module(f"{__name__}.{name}").FAMILY
        yield family
