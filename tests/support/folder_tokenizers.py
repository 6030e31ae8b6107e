"""Tokenizers of several kinds, trained on a few lines, in folders as transformers saves them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

CORPUS = [
    "The cat sat on the mat, and the dog sat on the cat.",
    "Once upon a time there were 1234 bottles of beer; don't count them!",
    "안녕하세요 세계, the café is naïve. \n\n    indented   text\tand tabs",
    "for i in range(10): print(i ** 2)  # squares",
] * 4
SPECIAL = ["<unk>", "<s>", "</s>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def byte_level(
    corpus: Sequence[str] = CORPUS,
    *,
    vocab_size: int = 400,
    special_tokens: Sequence[str] = ("<s>", "</s>"),
) -> Tokenizer:
    """GPT-2's and SmolLM2's kind."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(special_tokens),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def llama3() -> Tokenizer:
    """Llama 3's kind: a regex of its own, whole words first, a template that adds `<s>`."""
    trained = byte_level()
    spec = json.loads(trained.to_str())
    spec["model"]["ignore_merges"] = True
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    pattern = r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 0)]
    )
    return tokenizer


def llama2() -> Tokenizer:
    """Llama 2's kind: merges over `▁`, a space put before each stretch of text, byte fallback."""
    tokenizer = _fallback_bpe()
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(content=" ", left=1, right=0),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return tokenizer


def gemma() -> Tokenizer:
    """Gemma's kind: as Llama 2's, no space before."""
    tokenizer = _fallback_bpe()
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return tokenizer


def mistral() -> Tokenizer:
    """Newer Llama 2's and Mistral's kind: one space before the text, none after a special token."""
    tokenizer = _fallback_bpe()
    tokenizer.normalizer = None
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = llama2().decoder
    return tokenizer


def unigram() -> Tokenizer:
    """T5's and XLM's kind: the likeliest pieces, byte fallback."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=220, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


KINDS: dict[str, Callable[[], Tokenizer]] = {
    kind.__name__: kind for kind in (byte_level, llama3, llama2, gemma, mistral, unigram)
}


def save(folder: Path, kind: str, *, chat_template: str | None = None, **config: Any) -> Path:
    """Save a tokenizer of this kind, with more special and added tokens, into the folder."""
    tokenizer = KINDS[kind]()
    tokenizer.add_special_tokens(["<|user|>", AddedToken("<|trim|>", lstrip=True, rstrip=True)])
    tokenizer.add_tokens([AddedToken("<think>", normalized=False), "ABC DEF"])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", **config
    )
    fast.chat_template = chat_template
    fast.save_pretrained(folder)
    return folder


def _fallback_bpe() -> Tokenizer:
    """Merges trained on words that begin with `▁`, and all byte tokens."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.normalizer = normalizers.Replace(" ", "▁")
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=[*SPECIAL, *BYTES], show_progress=False
    )
    words = [word for line in CORPUS for word in line.replace(" ", " ▁").split(" ")]
    trained.train_from_iterator(words, trainer)
    spec = json.loads(trained.to_str())
    spec["model"] |= {"byte_fallback": True, "fuse_unk": True}
    spec["added_tokens"] = spec["added_tokens"][: len(SPECIAL)]
    return Tokenizer.from_str(json.dumps(spec))
