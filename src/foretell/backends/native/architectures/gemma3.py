"""Gemma 3, its text part (Gemma Team 2025, arXiv 2503.19786): Gemma 2 with norms in place of caps.

Each query and key is normed. Five of six layers see a window, and rotate by frequencies of their
own; those that see all may be stretched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.architectures.gemma import Gemma
from foretell.backends.native.architectures.gemma2 import Gemma2
from foretell.backends.native.decoder import add_rope
from foretell.backends.native.model import file_windows, layer_windows
from foretell.backends.native.plan import Plan, RopeTable
from foretell.backends.native.rope import kind_rope
from foretell.backends.native.rope_scalings import Rope, plain_frequencies
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

PATTERN = 6  # every sixth layer sees all
WINDOW = 4096
LOCAL_BASE, GLOBAL_BASE = 10_000.0, 1_000_000.0
LAYERS_OF_27B = 62
PLAIN = Rope(plain_frequencies(LOCAL_BASE, 256))


@dataclass(frozen=True)
class Gemma3(Gemma2):
    """The sizes of one Gemma 3 model, and its computation.

    Attributes:
        near: how layers with a window rotate; `rope` is of those that see all.
    """

    ARCHITECTURES: ClassVar = ("gemma3",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("gemma3_text",)
    DEFAULTS: ClassVar = {
        **Gemma.DEFAULTS,
        "max_position_embeddings": 131_072,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "query_pre_attn_scalar": 256,
        "vocab_size": 262_208,
    }
    ACTIVATIONS: ClassVar = ("gelu_pytorch_tanh",)
    HAS_HEAD_NORMS: ClassVar = True

    near: Rope = PLAIN

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata, which has no caps."""
        model = super(Gemma2, cls).from_gguf(file, reader)
        heads, layers = model.shape.heads, model.shape.layers
        scaled = model.width // heads.query if layers == LAYERS_OF_27B else heads.dim
        scale = reader.number("attention.scale", 1e-6, 1e6, scaled**-0.5)
        base = reader.number("rope.freq_base_swa", 1, 1e12, LOCAL_BASE)
        return replace(
            model,
            factors=replace(model.factors, attention=scale),
            near=Rope(plain_frequencies(base, 2 * len(model.rope.frequencies))),
        )

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model = super().from_config(checkpoint)
        reader, dim = cls._config_reader(checkpoint), model.shape.heads.dim
        near, far = (
            kind_rope(reader, dim, kind, key=key, base=base)
            for kind, key, base in (
                ("sliding_attention", "rope_local_base_freq", LOCAL_BASE),
                ("full_attention", "rope_theta", GLOBAL_BASE),
            )
        )
        return replace(model, near=near, rope=far)

    def _ropes(self, plan: Plan) -> list[RopeTable | None]:
        near, far = add_rope(plan, self.near), add_rope(plan, self.rope)
        return [far if window is None else near for window in self.windows]

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        super()._check_config(reader)
        for name in ("attn_logit_softcapping", "final_logit_softcapping"):
            if name in reader:
                raise reader.unsupported(name)

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        window = reader.integer("sliding_window", 1, 2**24, WINDOW)
        pattern = reader.integer("sliding_window_pattern", 1, 1024, PATTERN)
        return layer_windows(reader, layers, window=window, pattern=pattern)

    @classmethod
    def _file_windows(cls, reader: MetadataReader, layers: int) -> tuple[int | None, ...]:
        return file_windows(reader, layers, pattern=PATTERN)


FAMILY = Gemma3
