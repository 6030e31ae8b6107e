"""Multi-head latent attention (DeepSeek-AI 2024, arXiv 2405.04434): one short row a position.

All heads' keys and values are products of a latent that a token has, and of what it has of a key
that is rotated. The cache keeps these two; a head's own matrices are moved to the other side of its
scores and of its sums, to the query and to the result. So it is attention with a single key and
value head: decision 0048.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import Decoder, hf_names
from foretell.backends.native.plan import Heads, Plan, RopeTable, Scores, Value
from foretell.backends.native.rope import config_rope
from foretell.backends.native.rope_scalings import Rope, yarn_magnitude
from foretell.backends.native.weights.source import HFName, Part
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

UNIT = 16  # values that the kernels take at once
SPLIT, WHOLE = "attn_k_b", "attn_kv_b"
LATENT_EPS = 1e-6  # of their norms, whatever a model says of its others
LOG_WEIGHT = "rope.scaling.yarn_log_multiplier"
STORED_WEIGHT = 0.1  # by which GGUF files multiply it


@dataclass(frozen=True)
class Latent:
    """The sizes of latent attention, in values.

    Attributes:
        rank: of a position's latent.
        rotated: of the key, and of each head's query, what is rotated.
        plain: of each head's query and key, what is not.
        value: of each head's value.
        query_rank: of the latent that queries are made of; 0: they are made of the row itself.
    """

    rank: int
    rotated: int
    plain: int
    value: int
    query_rank: int

    def heads(self, query: int) -> Heads:
        """The attention that so many heads come to: all share one of keys and values."""
        return Heads(query, 1, self.rank + self.rotated)

    def check(self, reader: MetadataReader) -> Latent:
        """The sizes, if the kernels take them; UnsupportedModelError if not."""
        for name in ("rank", "plain", "value"):
            size = getattr(self, name)
            if size % UNIT:
                raise reader.unsupported(
                    f"latent attention whose {name} is {size} (not a multiple of {UNIT})"
                )
        return self


@dataclass(frozen=True)
class LatentDecoder(Decoder):
    """A decoder whose attention is by latents.

    Attributes:
        latent: its sizes.
        loudness: by how much YaRN lengthens a query, and a key, beside what rotations do.
        is_split: whether heads' matrices for keys, transposed, and for values lie apart.
    """

    IS_INTERLEAVED: ClassVar[bool] = True
    IS_INTERLEAVED_IN_FOLDERS: ClassVar[bool] = True

    HF_NAMES: ClassVar[dict[str, HFName]] = {
        **Decoder.HF_NAMES,
        **hf_names(
            attn_q_a="self_attn.q_a_proj",
            attn_q_a_norm="self_attn.q_a_layernorm",
            attn_q_b="self_attn.q_b_proj",
            attn_kv_a_mqa="self_attn.kv_a_proj_with_mqa",
            attn_kv_a_norm="self_attn.kv_a_layernorm",
            attn_kv_b="self_attn.kv_b_proj",
        ),
    }

    latent: Latent = Latent(0, 0, 0, 0, 0)
    loudness: float = 1.0
    is_split: bool = False

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = super().from_gguf(file, reader)
        latent = cls._file_latent(reader, model.width).check(reader)
        is_split = f"blk.0.{SPLIT}.weight" in file.tensors
        model = replace(model, latent=latent, is_split=is_split)
        weight = reader.number(LOG_WEIGHT, 0, 1e3, 0.0)
        if not weight or reader.text("rope.scaling.type", "linear") != "yarn":
            return model
        factor = reader.number("rope.scaling.factor", 0, 1e6, 1.0)
        rope = replace(model.rope, factor=model.rope.factor / yarn_magnitude(factor))
        return replace(model, rope=rope, loudness=yarn_magnitude(factor, weight / STORED_WEIGHT))

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model, reader = super().from_config(checkpoint), cls._config_reader(checkpoint)
        latent = cls._config_latent(reader).check(reader)
        return replace(model, latent=latent, loudness=_loudness(reader))

    @classmethod
    def _config_latent(cls, reader: MetadataReader) -> Latent:
        has_rank = "q_lora_rank" in reader
        width = reader.integer("hidden_size", 16, 2**16)
        usual = width // reader.integer("num_attention_heads", 1, 2**12)
        return Latent(
            rank=reader.integer("kv_lora_rank", 1, 2**16),
            rotated=reader.integer("qk_rope_head_dim", 2, 2**10),
            plain=reader.integer("qk_nope_head_dim", 1, 2**10),
            value=reader.integer("v_head_dim", 1, 2**10, usual),
            query_rank=reader.integer("q_lora_rank", 1, 2**16) if has_rank else 0,
        )

    @classmethod
    def _file_latent(cls, reader: MetadataReader, width: int) -> Latent:
        """Newer files say by other keys of what heads are, and by the usual ones what is cached."""
        usual = width // reader.integer("attention.head_count", 1, 2**12)
        key, value = (
            reader.integer(
                f"attention.{part}_length_mla",
                1,
                2**16,
                reader.integer(f"attention.{part}_length", 1, 2**16, usual),
            )
            for part in ("key", "value")
        )
        rotated = reader.integer("rope.dimension_count", 2, key - 1)
        has_rank = "attention.q_lora_rank" in reader
        return Latent(
            rank=reader.integer("attention.kv_lora_rank", 1, 2**16),
            rotated=rotated,
            plain=key - rotated,
            value=value,
            query_rank=reader.integer("attention.q_lora_rank", 1, 2**16) if has_rank else 0,
        )

    @classmethod
    def _config_heads(cls, reader: MetadataReader, width: int) -> Heads:
        query = reader.integer("num_attention_heads", 1, 2**12)
        if reader.integer("num_key_value_heads", 1, 2**12, query) != query:
            raise reader.unsupported("latents that fewer heads of keys than of queries share")
        return cls._config_latent(reader).heads(query)

    @classmethod
    def _file_heads(cls, reader: MetadataReader, width: int) -> Heads:
        query = reader.integer("attention.head_count", 1, 2**12)
        if reader.integer("attention.head_count_kv", 1, 2**12, query) not in (1, query):
            raise reader.unsupported("latents that fewer heads of keys than of queries share")
        return cls._file_latent(reader, width).heads(query)

    @classmethod
    def _config_rope(cls, reader: MetadataReader, dim: int) -> Rope:
        interleaved = reader.flag("rope_interleave", cls.IS_INTERLEAVED_IN_FOLDERS)
        rotated = cls._config_latent(reader).rotated
        return config_rope(reader, rotated, interleaved=interleaved)

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        if reader.flag("mlp_bias", False):
            raise reader.unsupported("mlp_bias=true")
        has_biases = reader.flag("attention_bias", False)
        return frozenset(("attn_q_a", "attn_kv_a_mqa", "attn_output") if has_biases else ())

    def _scores(self, layer: int) -> Scores:
        size = self.latent.plain + self.latent.rotated
        return Scores(scale=size**-0.5 * self.loudness**2, window=self.windows[layer])

    def _attention(
        self,
        plan: Plan,
        h: Value,
        layer: int,
        rope: RopeTable | None,
        residual: Value | None = None,
    ) -> Value:
        name, sizes, heads = f"blk.{layer}", self.latent, self.shape.heads
        plain, q = self._query_parts(plan, h, name)
        latent, k = self._linears(plan, h, f"{name}.attn_kv_a_mqa", (sizes.rank, sizes.rotated))
        latent = plan.rms_norm(latent, f"{name}.attn_kv_a_norm.weight", LATENT_EPS)
        if rope is not None:
            q, k = plan.rotate(q, rope, heads.query), plan.rotate(k, rope, 1)
        q = plan.join_heads(self._to_latents(plan, plain, name), q, heads.query, heads.dim)
        k = plan.join_heads(latent, k, 1, heads.dim)
        v = plan.join_heads(latent, None, 1, heads.dim)
        a = plan.attention(q, k, v, heads, layer=layer, scores=self._scores(layer))
        return self._add(plan, self._to_values(plan, a, name), f"{name}.attn_output", residual)

    def _query_parts(self, plan: Plan, h: Value, name: str) -> tuple[Value, Value]:
        """What of all heads' queries is not rotated, and what is."""
        sizes, heads, part = self.latent, self.shape.heads.query, "attn_q"
        if sizes.query_rank:
            h = self._linear(plan, h, f"{name}.attn_q_a", sizes.query_rank)
            h = plan.rms_norm(h, f"{name}.attn_q_a_norm.weight", LATENT_EPS)
            part = "attn_q_b"
        widths = (heads * sizes.plain, heads * sizes.rotated)
        plain, rotated = self._linears(plan, h, f"{name}.{part}", widths, groups=heads)
        return plain, rotated

    def _to_latents(self, plan: Plan, q: Value, name: str) -> Value:
        """Each head's query, times the matrix that makes its keys of latents."""
        sizes, heads = self.latent, self.shape.heads.query
        weight, part = f"{name}.{SPLIT}.weight", None
        if not self.is_split:
            weight = f"{name}.{WHOLE}.weight"
            part = Part(0, heads * (sizes.plain + sizes.value), heads, is_transposed=True)
        return plan.linear_heads(q, weight, heads, sizes.rank, sizes.plain, part=part)

    def _to_values(self, plan: Plan, a: Value, name: str) -> Value:
        """The matrix that makes each head's values of latents, times its sum of those."""
        sizes, heads = self.latent, self.shape.heads.query
        weight, part = f"{name}.attn_v_b.weight", None
        if not self.is_split:
            weight = f"{name}.{WHOLE}.weight"
            part = Part(sizes.plain, heads * (sizes.plain + sizes.value), heads)
        return plan.linear_heads(a, weight, heads, sizes.value, sizes.rank, part=part)


def _loudness(reader: MetadataReader) -> float:
    """By how much a checkpoint's YaRN lengthens queries and keys, beside rotations."""
    rope = reader.part("rope_scaling") or reader.part("rope_parameters")
    if rope is None or rope.text("rope_type", rope.text("type", "default")) == "default":
        return 1.0
    weight = rope.number("mscale_all_dim", 0, 1e3, 0.0)
    return yarn_magnitude(rope.number("factor", 1e-3, 1e6), weight) if weight else 1.0
