"""The tokens that a model was trained with to fill gaps.

Bavarian et al. 2022, arXiv 2207.14255 (fill in the middle). The names are those of the models'
tokenizers, and of llama.cpp's list of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class _Kind(NamedTuple):
    """Names of the tokens before the prefix, the suffix, and the middle; the last may be none."""

    prefix: str
    suffix: str
    middle: str | None


KINDS = (
    _Kind("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),  # Qwen 2.5 Coder, CodeGemma
    _Kind("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),  # StarCoder, Granite
    _Kind("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),  # SantaCoder
    _Kind("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),  # DeepSeek Coder
    _Kind("▁<PRE>", "▁<SUF>", "▁<MID>"),  # Code Llama
    _Kind("<PRE>", "<SUF>", "<MID>"),
    _Kind("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),  # GLM 4.5
    _Kind("[PREFIX]", "[SUFFIX]", None),  # Codestral, which reads the suffix first
)

ENDS = (
    *("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|file_separator|>", "<|endoftext|>"),
    *("<fim_pad>", "<fim-pad>", "<file_sep>", "<reponame>", "▁<EOT>", "<EOT>"),
)
"""Tokens that are written where the gap is filled, beside those that end any text."""

STATED = {
    "prefix": ("fim_pre_token_id", "prefix_token_id"),
    "suffix": ("fim_suf_token_id", "suffix_token_id"),
    "middle": ("fim_mid_token_id", "middle_token_id"),
}
"""The keys of GGUF files, without `tokenizer.ggml.`; the later ones are older."""


@dataclass(frozen=True)
class InfillMarks:
    """The tokens around a gap.

    Attributes:
        prefix, suffix, middle: ids of the tokens before each part; without one before the middle,
            the suffix comes first.
        ends: ids that end what fills the gap.
    """

    prefix: int
    suffix: int
    middle: int | None
    ends: frozenset[int]


def find_marks(ids: Mapping[str, int], stated: Mapping[str, int]) -> InfillMarks | None:
    """The marks of a vocabulary, by name, or as its file states them; None if it has none."""
    kind = next((one for one in KINDS if {*filter(None, one)} <= ids.keys()), None)
    found = dict(stated)
    if not {*STATED} <= found.keys():
        if kind is None:
            return None
        found = {part: ids[name] for part, name in kind._asdict().items() if name is not None}
    names = (*ENDS, *filter(None, kind or ()))
    ends = {ids[name] for name in names if name in ids} | {*found.values()}
    return InfillMarks(found["prefix"], found["suffix"], found.get("middle"), frozenset(ends))
