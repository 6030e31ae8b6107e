"""Tiny random models, and settings for transformers' `generate`."""

from __future__ import annotations

import logging
import random
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

VOCAB_SIZE = 24
BOS, EOS, PAD = 0, 1, 2
FIRST = 3  # of the ids that prompts are made of
IDS = {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD}

logging.getLogger("transformers").setLevel(logging.ERROR)


def tiny_gpt2(**changes: Any) -> GPT2LMHeadModel:
    settings = {"n_positions": 64, "n_embd": 16, "n_layer": 2, "n_head": 2, **IDS, **changes}
    torch.manual_seed(1)
    config = GPT2Config(vocab_size=VOCAB_SIZE, initializer_range=0.3, **settings)
    return GPT2LMHeadModel(config).eval()


def tiny_llama(**changes: Any) -> LlamaForCausalLM:
    torch.manual_seed(2)
    config = LlamaConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        initializer_range=0.3,
        **{**IDS, **changes},
    )
    return LlamaForCausalLM(config).eval()


def letters() -> PreTrainedTokenizerFast:
    """A tokenizer of the tiny models: three control tokens, letters, and some pairs of them."""
    pairs = ["ab", "cd", "ef", "gh", "ij", "ca", "di", "Ġa"]
    names = ["<s>", "</s>", "<pad>", "Ġ", *"abcdefghijkl", *pairs]
    merges = [(name[0], name[1]) for name in pairs]
    inner = Tokenizer(models.BPE({name: i for i, name in enumerate(names)}, merges))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def random_inputs(dice: random.Random, *, padded: bool) -> dict[str, torch.Tensor]:
    """One to three prompts, padded on the left to one length."""
    num_rows, length = dice.randint(1, 3), dice.randint(2, 6)
    ids, masks = [], []
    for _ in range(num_rows):
        pads = dice.randrange(length) if padded else 0
        ids.append([PAD] * pads + [dice.randrange(FIRST, VOCAB_SIZE) for _ in range(length - pads)])
        masks.append([0] * pads + [1] * (length - pads))
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(masks)}


def some_ids(dice: random.Random, count: int) -> list[int]:
    return dice.sample(range(FIRST, VOCAB_SIZE), count)


def random_settings(dice: random.Random) -> dict[str, Any]:
    """Settings without chance, for texts of a few tokens."""
    settings: dict[str, Any] = {}
    for choose in (_lengths, _beams, _penalties, _bans, _forces):
        settings |= choose(dice)
    return settings


def _lengths(dice: random.Random) -> dict[str, Any]:
    chosen: dict[str, Any] = dice.choice(
        [{"max_new_tokens": dice.randint(1, 10)}, {"max_length": dice.randint(8, 14)}]
    )
    if dice.random() < 0.3:
        chosen |= dice.choice([{"min_new_tokens": 4}, {"min_length": 9}])
    if dice.random() < 0.4:
        chosen["eos_token_id"] = dice.choice([EOS, [EOS, *some_ids(dice, 2)], some_ids(dice, 4)])
    return chosen


def _beams(dice: random.Random) -> dict[str, Any]:
    if dice.random() < 0.4:
        return {}
    num_beams = dice.randint(2, 4)
    return {
        "num_beams": num_beams,
        "num_return_sequences": dice.randint(1, num_beams),
        "length_penalty": dice.choice([1.0, 0.0, 2.0, -0.5]),
        "early_stopping": dice.choice([True, False, "never"]),
    }


def _penalties(dice: random.Random) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    if dice.random() < 0.4:
        chosen["repetition_penalty"] = dice.choice([1.3, 0.8, 2.0])
    if dice.random() < 0.3:
        chosen["exponential_decay_length_penalty"] = (dice.randint(1, 4), 1.5)
    if dice.random() < 0.2:
        chosen["renormalize_logits"] = True
    return chosen


def _bans(dice: random.Random) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    if dice.random() < 0.3:
        chosen["no_repeat_ngram_size"] = dice.randint(1, 3)
    if dice.random() < 0.3:
        chosen["bad_words_ids"] = [some_ids(dice, 1), some_ids(dice, 2), [EOS]]
    if dice.random() < 0.3:
        chosen["sequence_bias"] = {tuple(some_ids(dice, 2)): 3.0, (dice.randrange(24),): -2.0}
    if dice.random() < 0.3:
        chosen["suppress_tokens"] = some_ids(dice, 3)
    if dice.random() < 0.3:
        chosen["begin_suppress_tokens"] = some_ids(dice, 3)
    return chosen


def _forces(dice: random.Random) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    if dice.random() < 0.2:
        chosen["forced_eos_token_id"] = EOS  # two would be a tie
    if dice.random() < 0.2:
        chosen["forced_bos_token_id"] = BOS
    if dice.random() < 0.2:
        chosen["remove_invalid_values"] = True
    return chosen
