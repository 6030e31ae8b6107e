"""Which way of keeping matrices a checkpoint's config names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from foretell.backends.native.weights.forms.awq import AWQ
from foretell.backends.native.weights.forms.base import Form, Tensors
from foretell.backends.native.weights.forms.compressed import CompressedTensors
from foretell.backends.native.weights.forms.fp8 import Float8
from foretell.backends.native.weights.forms.gptq import GPTQ
from foretell.errors import UnsupportedModelError
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.file_names import CONFIG
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import escape, quote

METHODS: Mapping[str, Callable[[Tensors, MetadataReader], Form]] = {
    "fp8": Float8,
    "fbgemm_fp8": Float8,
    "gptq": GPTQ,
    "awq": AWQ,
    "compressed-tensors": CompressedTensors,
}

OF_EXPERTS = ("mxfp4",)
"""Ways in which experts alone are kept, whose blocks and scales are read as they are."""


def read_form(checkpoint: Checkpoint) -> Form | None:
    """How the checkpoint's matrices are quantized; None if they are floats.

    Raises:
        UnsupportedModelError: in a way that native does not read.
        ModelFileError: the config contradicts itself.
    """
    for key in ("quantization_config", "compression_config"):
        config = checkpoint.config.get(key)
        if config is not None:
            break
    else:
        return None
    name = config.get("quant_method") if isinstance(config, dict) else config
    if name in OF_EXPERTS:
        return None
    make = METHODS.get(name) if isinstance(name, str) else None
    source = escape(checkpoint.path / CONFIG)
    if make is None or not isinstance(config, dict):
        known = ", ".join(METHODS)
        raise UnsupportedModelError(
            f"{source}: weights quantized by {quote(name)} are not supported (but by {known}): "
            "give the model's float checkpoint and quantize='q8' or 'q4', or a GGUF file"
        )
    reader = MetadataReader.of_config(config, f"{source}: {key}")
    return make(Tensors(checkpoint), reader)
