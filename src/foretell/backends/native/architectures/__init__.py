"""Families of models, a file each, found by the names that model files have for them.

A family's file ends with `FAMILY`, its class. docs/contributing.md adds one.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from foretell.backends.native.model import Model
from foretell.backends.native.unread import refuse_other_types, refuse_unread_keys
from foretell.errors import UnsupportedModelError
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import escape, quote


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
            refuse_unread_keys(file, reader)
            return model
    known = ", ".join(sorted(name for family in families() for name in family.ARCHITECTURES))
    raise UnsupportedModelError(
        f"{escape(file.path)}: architecture {quote(architecture)} is not supported; supported: "
        f"{known}{file.doubt}"
    )


def _read_checkpoint(checkpoint: Checkpoint) -> Model:
    checkpoint.refuse_quantized()
    model_type = checkpoint.config.get("model_type")
    for family in families(model_type):
        if model_type in family.MODEL_TYPES:
            return family.from_config(checkpoint)
    known = ", ".join(sorted(name for family in families() for name in family.MODEL_TYPES))
    raise UnsupportedModelError(
        f"{escape(checkpoint.path)}: model_type {quote(model_type)} is not known natively; "
        f"known are {known}"
    )


def families(likely: object = None) -> Iterator[type[Model]]:
    """Each family, imported as it is reached; first the file whose name `likely` begins with."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    for name in sorted(names, key=lambda name: not str(likely).startswith(name)):
        family: type[Model] = importlib.import_module(f"{__name__}.{name}").FAMILY
        yield family
