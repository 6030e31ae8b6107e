"""CodeGen (Nijkamp et al. 2022, arXiv 2203.13474): GPT-J, its queries, keys and values fused.

That weight is four groups of rows, each of queries, values and keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from foretell.backends.native.architectures.gptj import GPTJ
from foretell.backends.native.decoder import hf_names

GROUPS = 4


@dataclass(frozen=True)
class CodeGen(GPTJ):
    """The sizes of one CodeGen model, and its computation."""

    ARCHITECTURES: ClassVar = ()
    MODEL_TYPES: ClassVar = ("codegen",)
    FUSED_ORDER: ClassVar = "qvk"
    HF_NAMES: ClassVar = {
        **GPTJ.HF_NAMES,
        **hf_names("transformer.h.{}", attn_qkv="attn.qkv_proj"),
    }

    groups: int = GROUPS


FAMILY = CodeGen
