"""MPT (MosaicML 2023): ALiBi, no biases at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native.decoder import Factors, hf_names
from foretell.backends.native.gpt import GPT, refuse_others, token_names
from foretell.backends.native.plan import Plan, Value
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

MAX_BIAS = 8.0


@dataclass(frozen=True)
class MPT(GPT):
    """The sizes of one MPT model, and its computation.

    Attributes:
        bound: what queries, keys and values stay within; 0: they do not.
    """

    ARCHITECTURES: ClassVar = ("mpt",)
    MODEL_TYPES: ClassVar = ("mpt",)
    DEFAULTS: ClassVar = {"layer_norm_epsilon": 1e-5, "tie_word_embeddings": True}
    CONFIG_NAMES: ClassVar = {
        "hidden_size": "d_model",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "max_position_embeddings": "max_seq_len",
    }
    HIDDEN_KEY: ClassVar = ""
    ACTIVATIONS: ClassVar = ("gelu",)
    NORM_PARTS: ClassVar = ("weight",)
    HF_NAMES: ClassVar = {
        **token_names("transformer.wte", "transformer.norm_f"),
        **hf_names(
            "transformer.blocks.{}",
            attn_norm="norm_1",
            attn_qkv="attn.Wqkv",
            attn_output="attn.out_proj",
            ffn_norm="norm_2",
            ffn_up="ffn.up_proj",
            ffn_down="ffn.down_proj",
        ),
    }

    bound: float = 0.0

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        return replace(
            super().from_gguf(file, reader),
            max_bias=reader.number("attention.max_alibi_bias", 1e-3, 1e3),
            bound=reader.number("attention.clamp_kqv", 0, 1e6, 0.0),
        )

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        attention = _attention_of(cls._config_reader(checkpoint))
        bound = attention.number("clip_qkv", 0, 1e6, 0.0)
        return replace(super().from_config(checkpoint), max_bias=MAX_BIAS, bound=bound)

    def _queries_keys_values(self, plan: Plan, h: Value, name: str) -> tuple[Value, Value, Value]:
        q, k, v = super()._queries_keys_values(plan, h, name)
        if not self.bound:
            return q, k, v
        return plan.clamp(q, self.bound), plan.clamp(k, self.bound), plan.clamp(v, self.bound)

    @classmethod
    def _config_factors(cls, reader: MetadataReader) -> Factors:
        attention = _attention_of(reader)
        if "softmax_scale" not in attention:
            return Factors()
        return Factors(attention=attention.number("softmax_scale", 1e-6, 1e6))

    @classmethod
    def _check_config(cls, reader: MetadataReader) -> None:
        """As transformers computes it: with ALiBi in any case, and without biases."""
        attention = _attention_of(reader)
        refuse_others(attention, alibi=True, qk_ln=False, prefix_lm=False)
        refuse_others(attention, attn_uses_sequence_id=False)
        if attention.number("alibi_bias_max", 1e-3, 1e3, MAX_BIAS) != MAX_BIAS:
            raise attention.unsupported(f"alibi_bias_max other than {MAX_BIAS:g}")
        if "logit_scale" in reader:
            raise reader.unsupported("logit_scale")
        refuse_others(reader, no_bias=True)
        if reader.integer("expansion_ratio", 1, 2**10, 4) != 4:
            raise reader.unsupported("expansion_ratio other than 4")


def _attention_of(reader: MetadataReader) -> MetadataReader:
    return reader.part("attn_config") or reader.of_object({}, "attn_config")


FAMILY = MPT
