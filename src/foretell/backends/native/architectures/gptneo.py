"""GPT-Neo (Black et al. 2021): GPT-2 whose every other layer sees a window, its scores unscaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.decoder import Factors, hf_names
from foretell.backends.native.gpt import GPT, POSITIONS, token_names
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.metadata import MetadataReader

KINDS = ("global", "local")


@dataclass(frozen=True)
class GPTNeo(GPT):
    """The sizes of one GPT-Neo model, and its computation."""

    ARCHITECTURES: ClassVar = ()
    MODEL_TYPES: ClassVar = ("gpt_neo",)
    DEFAULTS: ClassVar = {
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": True,
        "window_size": 256,
    }
    CONFIG_NAMES: ClassVar = {
        "num_hidden_layers": "num_layers",
        "num_attention_heads": "num_heads",
        "hidden_act": "activation_function",
    }
    HIDDEN_KEY: ClassVar = "intermediate_size"
    BIASES: ClassVar = ("attn_output", "ffn_up", "ffn_down")
    HAS_POSITIONS: ClassVar = True
    HF_NAMES: ClassVar = {
        **token_names("transformer.wte", "transformer.ln_f"),
        POSITIONS: HFName("transformer.wpe.weight"),
        **hf_names(
            "transformer.h.{}",
            attn_norm="ln_1",
            attn_q="attn.attention.q_proj",
            attn_k="attn.attention.k_proj",
            attn_v="attn.attention.v_proj",
            attn_output="attn.attention.out_proj",
            ffn_norm="ln_2",
            ffn_up="mlp.c_fc",
            ffn_down="mlp.c_proj",
        ),
    }

    @classmethod
    def _config_factors(cls, reader: MetadataReader) -> Factors:
        return Factors(attention=1.0)

    @classmethod
    def _windows(
        cls, checkpoint: Checkpoint, reader: MetadataReader, layers: int
    ) -> tuple[int | None, ...]:
        kinds = _layer_kinds(reader, layers)
        if len(kinds) != layers or not all(kind in KINDS for kind in kinds):
            raise reader.wrong(
                f"attention_types must give 'global' or 'local' to each of {layers} layers"
            )
        window = reader.integer("window_size", 1, 2**24)
        return tuple(window if kind == "local" else None for kind in kinds)


def _layer_kinds(reader: MetadataReader, layers: int) -> list[object]:
    """What `attention_types` spells out: kinds of layers, and how often each list of them comes.

    Where it comes too often, more than there are layers, but not by much.
    """
    types = reader.values.get("attention_types") or [[["global", "local"], 12]]
    found: list[object] = []
    try:
        for kinds, times in types:
            found += list(kinds)[: layers + 1] * min(times, layers + 1)
            if len(found) > layers:
                break
    except (TypeError, ValueError):
        raise reader.wrong(
            "attention_types must be a list of lists of kinds and counts, as "
            '[[["global", "local"], 12]]'
        ) from None
    return found


FAMILY = GPTNeo
