"""GPT-J (Wang & Komatsuzaki 2021): neighbours rotated; attention and MLP see the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import hf_names
from foretell.backends.native.gpt import GPT, token_names
from foretell.backends.native.rope import DEFAULT_BASE
from foretell.backends.native.rope_scalings import Rope, plain_frequencies
from foretell.formats.metadata import MetadataReader

SIZE_NAMES = {
    "hidden_size": "n_embd",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "max_position_embeddings": "n_positions",
    "hidden_act": "activation_function",
}


@dataclass(frozen=True)
class GPTJ(GPT):
    """The sizes of one GPT-J model, and its computation."""

    ARCHITECTURES: ClassVar[tuple[str, ...]] = ("gptj",)
    MODEL_TYPES: ClassVar[tuple[str, ...]] = ("gptj",)
    DEFAULTS: ClassVar = {"rotary_dim": 64, "layer_norm_epsilon": 1e-5}
    CONFIG_NAMES: ClassVar = SIZE_NAMES
    BIASES: ClassVar = ("ffn_up", "ffn_down", "output")
    ROTATES: ClassVar = True
    IS_INTERLEAVED: ClassVar = True
    IS_INTERLEAVED_IN_FOLDERS: ClassVar = True
    HF_NAMES: ClassVar = {
        **token_names("transformer.wte", "transformer.ln_f"),
        **hf_names(
            "transformer.h.{}",
            attn_norm="ln_1",
            attn_q="attn.q_proj",
            attn_k="attn.k_proj",
            attn_v="attn.v_proj",
            attn_output="attn.out_proj",
            ffn_up="mlp.fc_in",
            ffn_down="mlp.fc_out",
        ),
    }

    is_parallel: bool = True
    mlp_norm: str = "attn_norm"

    @classmethod
    def _config_rope(cls, reader: MetadataReader, dim: int) -> Rope:
        rotated = reader.integer("rotary_dim", 2, dim)
        if rotated % 2:
            raise reader.wrong(f"rotary_dim is {rotated}: must be even")
        return Rope(plain_frequencies(DEFAULT_BASE, rotated), interleaved=True)


FAMILY = GPTJ
