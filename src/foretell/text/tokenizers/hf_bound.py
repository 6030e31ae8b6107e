"""How few tokens a text has by a `tokenizer.json`, where that is certain."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from foretell.text.tokenizers.bound import MAX_COMPOSED, TokenBound, dropped_characters
from foretell.text.tokenizers.byte_level import byte_alphabet
from foretell.text.tokenizers.hf_steps import steps_of
from foretell.text.tokenizers.vocabulary import TokenType, Vocabulary

BYTE_TOKENS = frozenset(f"<0x{byte:02X}>" for byte in range(256))
SPACE_STEP = ({"String": " "}, "▁")


def read_bound(spec: Mapping[str, Any], vocabulary: Vocabulary) -> TokenBound | None:
    """The bound; None where a text can shrink, and for whatever is not known here to keep it."""
    model = spec["model"]
    shrinks = [_shrinking(step) for step in steps_of(spec.get("normalizer"))]
    dropped = _dropped(spec, model)
    if (
        None in shrinks
        or dropped is None
        or not all(map(_keeps_text, steps_of(spec.get("pre_tokenizer"))))
        or not all(map(_has_text_once, steps_of(spec.get("post_processor"))))
        or not _keeps_names(model, vocabulary, composes=MAX_COMPOSED in shrinks)
        or any(spacing.left or spacing.right for spacing in vocabulary.spacing.values())
    ):
        return None
    return TokenBound(prod(filter(None, shrinks)) * max(map(len, vocabulary.tokens)), dropped)


def _shrinking(step: Mapping[str, Any]) -> int | None:
    """How many characters a normalizer's step makes one of at most; None if not known."""
    kind = step.get("type")
    if kind == "NFC":
        return MAX_COMPOSED
    if kind == "Replace":
        return 1 if (step.get("pattern"), step.get("content")) == SPACE_STEP else None
    return 1 if kind in ("Sequence", "Prepend", "ByteLevel", "NFD") else None


def _keeps_text(step: Mapping[str, Any]) -> bool:
    """Whether a pre-tokenizer's step leaves nothing out."""
    if step.get("type") == "Split":
        return step.get("behavior") != "Removed"
    return step.get("type") in ("Sequence", "ByteLevel", "Metaspace", "Digits")


def _has_text_once(step: Mapping[str, Any]) -> bool:
    if step.get("type") != "TemplateProcessing":
        return step.get("type") in ("Sequence", "ByteLevel")
    single = step.get("single")
    pieces = single if isinstance(single, list) else []
    return sum(isinstance(piece, dict) and "Sequence" in piece for piece in pieces) == 1


def _dropped(spec: Mapping[str, Any], model: Mapping[str, Any]) -> str | None:
    """The characters without a token; None where a token can stand for any unknown ones."""
    vocab = model.get("vocab")
    affixes = (model.get("continuing_subword_prefix"), model.get("end_of_word_suffix"))
    if model.get("type") != "BPE" or not isinstance(vocab, dict) or any(affixes):
        return None
    if model.get("byte_fallback") is True:
        return "" if vocab.keys() >= BYTE_TOKENS else None
    parts = [*steps_of(spec.get("normalizer")), *steps_of(spec.get("pre_tokenizer"))]
    if model.get("unk_token") or not any(step.get("type") == "ByteLevel" for step in parts):
        return None
    return dropped_characters(vocab, byte_alphabet())


def _keeps_names(model: Mapping[str, Any], vocabulary: Vocabulary, *, composes: bool) -> bool:
    """Whether no control token comes out of merging, once its name is cut: `JsonCodec` drops it."""
    control = {vocabulary.tokens[i] for i in vocabulary.ids_of(TokenType.CONTROL)}
    names = control & model["vocab"].keys()
    return not names or (
        not composes and all(len(name) > 1 and name.isascii() and " " not in name for name in names)
    )
