"""The sizes of a decoder that is kin to Llama, as GGUF files and `config.json` state them.

What most families state alike is read here; a family says by its constants, and by the class
methods that it overrides, in what it differs. `decoder.py` has the computation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from foretell.backends.native.model import ModelShape, TokenMatrices, check_heads, layer_windows
from foretell.backends.native.plan import Heads
from foretell.backends.native.rope import config_context, config_rope, file_rope
from foretell.backends.native.rope_scalings import Rope
from foretell.backends.native.weights.gguf_weights import GGUFWeights
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import escape

QKV = ("attn_q", "attn_k", "attn_v")
MLP = ("ffn_gate", "ffn_up", "ffn_down")
FUSED_QKV = "attn_qkv"
PRODUCTS = (*QKV, FUSED_QKV, "attn_output", *MLP)
ROPE = "rope_parameters"
LAYER = "model.layers.{}"


def hf_names(layer: str = LAYER, **modules: str) -> dict[str, HFName]:
    """Names of a layer's weights and biases in checkpoints, by the part that GGUF files call so."""
    return {
        f"blk.{{}}.{part}.{kind}": HFName(f"{layer}.{module}.{kind}")
        for part, module in modules.items()
        for kind in ("weight", "bias")
    }


@dataclass(frozen=True)
class Factors:
    """What a model multiplies by, beside its weights.

    Attributes:
        embedding: of what a token begins with.
        attention: of scores; None: 1 / sqrt(dim).
        residual: of what attention and MLP add.
        logits: of those.
    """

    embedding: float = 1.0
    attention: float | None = None
    residual: float = 1.0
    logits: float = 1.0


@dataclass(frozen=True)
class DecoderSizes:
    """The sizes of one model that is kin to Llama.

    Attributes:
        DEFAULTS: what a `config.json` means that does not say it.
        CONFIG_NAMES: other names of its sizes in `config.json`, by the usual ones.
        CONFIG_EPS, FILE_EPS: the key of the number that keeps norms from dividing by zero.
        ACTIVATIONS: names of the MLP's activation in `config.json`.
        HAS_BIASES: whether queries, keys and values have, though the config does not say it.
        HAS_HEAD_NORMS: whether each query and key is normed.
        FUSES_GATE: whether `ffn_up` holds the MLP's gate too, in files and folders alike.
        IS_INTERLEAVED: whether the values of a rotated pair are neighbours in GGUF files.
        IS_INTERLEAVED_IN_FOLDERS: whether they are in checkpoints. GGUF files of some families
            keep the rows of queries and keys in another order.
        windows: how many positions each layer sees; None: all.
        biases: the products that have one.
        fuses_qkv: whether queries, keys and values are parts of one weight.
        fuses_gate: whether the MLP's gate and values are: of `ffn_up`, the gate first.
    """

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ()
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ()
    DEFAULTS: ClassVar[Mapping[str, Any]] = {}
    CONFIG_NAMES: ClassVar[Mapping[str, str]] = {}
    CONFIG_EPS: ClassVar[str] = "rms_norm_eps"
    FILE_EPS: ClassVar[str] = "attention.layer_norm_rms_epsilon"
    ACTIVATIONS: ClassVar[tuple[str, ...]] = ("silu",)
    HAS_BIASES: ClassVar[bool] = False
    HAS_HEAD_NORMS: ClassVar[bool] = False
    FUSES_GATE: ClassVar[bool] = False
    IS_INTERLEAVED: ClassVar[bool] = False
    IS_INTERLEAVED_IN_FOLDERS: ClassVar[bool] = False

    HF_NAMES: ClassVar[dict[str, HFName]] = {
        "token_embd.weight": HFName("model.embed_tokens.weight"),
        **hf_names(
            attn_norm="input_layernorm",
            attn_q="self_attn.q_proj",
            attn_k="self_attn.k_proj",
            attn_v="self_attn.v_proj",
            attn_q_norm="self_attn.q_norm",
            attn_k_norm="self_attn.k_norm",
            attn_output="self_attn.o_proj",
            ffn_norm="post_attention_layernorm",
            ffn_gate="mlp.gate_proj",
            ffn_up="mlp.up_proj",
            ffn_down="mlp.down_proj",
        ),
        "output_norm.weight": HFName("model.norm.weight"),
        "output_norm.bias": HFName("model.norm.bias"),
        "output.weight": HFName("lm_head.weight"),
    }

    shape: ModelShape
    width: int
    hidden: int
    eps: float
    rope: Rope
    matrices: TokenMatrices
    windows: tuple[int | None, ...]
    biases: frozenset[str] = frozenset()
    factors: Factors = Factors()
    fuses_qkv: bool = False
    fuses_gate: bool = False

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        cls._check_file(reader)
        width = reader.integer("embedding_length", 16, 2**16)
        heads = check_heads(reader, cls._file_heads(reader, width))
        layers = reader.integer("block_count", 1, 1024)
        found = (part for part in PRODUCTS if f"blk.0.{part}.bias" in file.tensors)
        return cls(
            shape=ModelShape(
                layers=layers,
                heads=heads,
                vocab_size=GGUFWeights(file).rows("token_embd.weight"),
                context_length=reader.integer("context_length", 1, 2**24),
            ),
            width=width,
            hidden=cls._file_hidden(reader),
            eps=reader.number(cls.FILE_EPS, 0, 1),
            rope=file_rope(file, reader, heads.dim, interleaved=cls.IS_INTERLEAVED),
            matrices=TokenMatrices.of_gguf(file),
            windows=cls._file_windows(reader, layers),
            biases=frozenset((*found, *(QKV if cls.HAS_BIASES else ()))),
            factors=cls._file_factors(reader),
            fuses_qkv=f"blk.0.{FUSED_QKV}.weight" in file.tensors,
            fuses_gate=cls.FUSES_GATE,
        )

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        reader = cls._config_reader(checkpoint)
        cls._check_config(reader)
        width = reader.integer("hidden_size", 16, 2**16)
        heads = check_heads(reader, cls._config_heads(reader, width))
        layers = reader.integer("num_hidden_layers", 1, 1024)
        return cls(
            shape=ModelShape(
                layers=layers,
                heads=heads,
                vocab_size=reader.integer("vocab_size", 1, 2**24),
                context_length=config_context(reader),
            ),
            width=width,
            hidden=reader.integer("intermediate_size", 1, 2**20),
            eps=reader.number(cls.CONFIG_EPS, 0, 1, 1e-6),
            rope=cls._config_rope(reader, heads.dim),
            matrices=TokenMatrices.of_checkpoint(
                checkpoint, cls.HF_NAMES, tied=reader.flag("tie_word_embeddings", False)
            ),
            windows=cls._windows(checkpoint, reader, layers),
            biases=cls._config_biases(reader),
            factors=cls._config_factors(reader),
            fuses_qkv=f"blk.{{}}.{FUSED_QKV}.weight" in cls.HF_NAMES,
            fuses_gate=cls.FUSES_GATE,
        )

    @classmethod
    def _config_reader(cls, checkpoint: Checkpoint) -> MetadataReader:
        """Reads a checkpoint's config, by the usual names and with the family's defaults."""
        stated = cls._stated(checkpoint)
        if stated.get(ROPE) is None:  # null is as if it were not stated
            stated = {key: stated[key] for key in stated if key != ROPE}
        config = {**cls.DEFAULTS, **stated}
        names = {usual: own for usual, own in cls.CONFIG_NAMES.items() if usual not in stated}
        others = {usual: config[own] for usual, own in names.items() if own in config}
        source = f"{escape(checkpoint.path)}/config.json"
        return MetadataReader.of_config({**config, **others}, source, names)

    @classmethod
    def _stated(cls, checkpoint: Checkpoint) -> Mapping[str, Any]:
        """What a checkpoint's config says of the model."""
        return checkpoint.config

    @classmethod
    def _check_file(cls, reader: MetadataReader) -> None:
        """Refuse what the plan would leave out, and the metadata says by itself."""
        if "expert_count" in reader and reader.integer("expert_count", 0, 2**16) > 0:
            raise reader.unsupported("a mixture of experts")

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        """Refuse what the plan would leave out."""
        usual = cls.ACTIVATIONS[0]
        if reader.text("hidden_act", usual) not in cls.ACTIVATIONS:
            raise reader.unsupported(f"an activation other than {usual}")

    @classmethod
    def _config_rope(cls, reader: MetadataReader, dim: int) -> Rope:
        """How a checkpoint's model rotates heads of `dim` values."""
        return config_rope(reader, dim, interleaved=cls.IS_INTERLEAVED_IN_FOLDERS)

    @classmethod
    def _config_biases(cls, reader: MetadataReader) -> frozenset[str]:
        """The products of a checkpoint that have a bias."""
        attention = reader.flag("attention_bias", False)
        biases = (*QKV, "attn_output") if attention else QKV if cls.HAS_BIASES else ()
        return frozenset((*biases, *(MLP if reader.flag("mlp_bias", False) else ())))

    @classmethod
    def _config_factors(cls, reader: MetadataReader) -> Factors:
        """What a checkpoint's model multiplies by."""
        return Factors()

    @classmethod
    def _file_factors(cls, reader: MetadataReader) -> Factors:
        """What a GGUF file's model multiplies by."""
        return Factors()

    @classmethod
    def _config_heads(cls, reader: MetadataReader, width: int) -> Heads:
        """The heads of a checkpoint's model, whose rows are of this width."""
        query = reader.integer("num_attention_heads", 1, 2**12)
        kv = reader.integer("num_key_value_heads", 1, query, query)
        return Heads(query, kv, reader.integer("head_dim", 1, 2**16, width // query))

    @classmethod
    def _file_heads(cls, reader: MetadataReader, width: int) -> Heads:
        """The heads of a GGUF file's model, whose rows are of this width."""
        query = reader.integer("attention.head_count", 1, 2**12)
        kv = cls._file_kv_heads(reader, query)
        dim = width // query
        if "attention.key_length" in reader:
            dim = reader.integer("attention.key_length", 16, 1024)
        if reader.integer("attention.value_length", 1, 2**16, dim) != dim:
            raise reader.unsupported("a value head longer or shorter than a key head")
        return Heads(query, kv, dim)

    @classmethod
    def _file_hidden(cls, reader: MetadataReader) -> int:
        """How wide the MLP of a GGUF file's model is inside."""
        return reader.integer("feed_forward_length", 1, 2**20)

    @classmethod
    def _file_kv_heads(cls, reader: MetadataReader, query: int) -> int:
        """How many heads of keys and values a GGUF file's model has, for so many of queries."""
        return reader.integer("attention.head_count_kv", 1, query, query)

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        """How many positions each layer of a checkpoint sees; None: all."""
        if not reader.flag("use_sliding_window", False):
            return (None,) * layers
        if "layer_types" not in reader:
            raise reader.unsupported("use_sliding_window=true without layer_types")
        window = reader.integer("sliding_window", 1, 2**24)
        return layer_windows(reader, layers, window=window, pattern=1)

    @classmethod
    def _file_windows(cls, reader: MetadataReader, layers: int) -> tuple[int | None, ...]:
        """How many positions each layer of a GGUF file sees; None: all."""
        return (None,) * layers
