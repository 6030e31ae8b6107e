"""A toy model in a folder, and rows of all kinds for it, as jobs of many rows have them.

The model is a random Llama of two layers, whose logits differ enough to draw all sorts of texts.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CONTEXT = 256  # positions
TEXT = "the cat sat on a mat and then it ran home to sleep in the warm sun 1 22 333"
WORDS = TEXT.split()
TEMPLATE = (
    "{% for m in messages %}<|user|>{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|user|>assistant: {% endif %}"
)
RECORD = {
    "type": "object",
    "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 9}, "b": {"type": "boolean"}},
    "required": ["a", "b"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "record", "schema": RECORD}}

Kind = Callable[[random.Random], dict[str, Any]]
"""Makes a row of one kind, without its id."""


def save_toy_model(folder: Path) -> Path:
    """Write a tiny random Llama with a tokenizer and a chat template, as transformers does."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "</s>", "<|user|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([TEXT] * 4, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=fast.bos_token_id,
        eos_token_id=fast.eos_token_id,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.copy_(torch.randn_like(weight) * 1.5 / weight.shape[1] ** 0.5)
    model.save_pretrained(folder)
    return folder


def _words(chance: random.Random, most: int = 8) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(1, most)))


def _tokens(chance: random.Random, most: int = 10) -> int:
    return chance.randint(2, most)


def _sampled(chance: random.Random) -> dict[str, Any]:
    settings = chance.choice(
        [
            {"temperature": 1.2},
            {"top_p": 0.9, "frequency_penalty": 0.5},
            {"top_k": 20, "min_p": 0.05},
            {"typical_p": 0.9},
            {"temperature": 0.7, "seed": chance.randrange(1000)},
            {"mirostat": 2},
            {"n": 2, "logprobs": 1},
            {"stop": ["a", "e"]},
            {"repetition_penalty": 1.3, "logit_bias": {"40": 2}},
        ]
    )
    return {"prompt": _words(chance), "max_tokens": _tokens(chance), **settings}


def _greedy(chance: random.Random) -> dict[str, Any]:
    logprobs = chance.choice([{}, {"logprobs": 2}, {"echo": True}])
    return {"prompt": _words(chance), "max_tokens": _tokens(chance), "temperature": 0, **logprobs}


def _beams(chance: random.Random) -> dict[str, Any]:
    search = chance.choice(
        [
            {"num_beams": 2},
            {"num_beams": 4, "n": 2, "length_penalty": 0.5},
            {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0},
            {"penalty_alpha": 0.6, "top_k": 4},
        ]
    )
    return {"prompt": _words(chance), "max_tokens": _tokens(chance, 6), **search}


def _form(chance: random.Random) -> dict[str, Any]:
    form = chance.choice(
        [{"json_schema": RECORD}, {"regex": "[a-c]{3,6}x"}, {"choices": ["yes", "no", "not sure"]}]
    )
    return {"prompt": _words(chance), "max_tokens": 24, "temperature": 1.1, **form}


def _chat(chance: random.Random) -> dict[str, Any]:
    body = {
        "messages": [{"role": "user", "content": _words(chance)}],
        "max_tokens": _tokens(chance),
        **chance.choice([{}, {"temperature": 0}, {"top_p": 0.8}, {"logprobs": True}]),
    }
    return chance.choice([body, _as_openai("/v1/chat/completions", body)])


def _chat_in_form(chance: random.Random) -> dict[str, Any]:
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "go"}]
    body = {"messages": messages, "max_tokens": 24, "response_format": FORMAT}
    return _as_openai("/v1/chat/completions", {**body, "n": chance.randint(1, 2)})


def _wrong(chance: random.Random) -> dict[str, Any]:
    return chance.choice(
        [
            {"prompt": "x", "temperature": -1},
            {"prompt": "x", "no_such_field": 1},
            {"prompt": " ".join(WORDS * CONTEXT)},
            {"messages": []},
            {"neither": True},
            _as_openai("/v1/embeddings", {"input": "x"}),
            {"prompt": "x", "json_schema": {"type": "nothing"}},
        ]
    )


def _as_openai(url: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"method": "POST", "url": url, "body": body}


KINDS: dict[str, tuple[int, Kind]] = {
    "sampled": (6, _sampled),
    "greedy": (4, _greedy),
    "beams": (2, _beams),
    "form": (2, _form),
    "chat": (4, _chat),
    "chat in form": (1, _chat_in_form),
    "wrong": (1, _wrong),
}
"""How often each kind comes, and what makes it."""


def mixed_lines(count: int, seed: int = 0) -> Iterator[str]:
    """So many lines of all kinds, some of them no JSON, each with an id of its own or none."""
    chance = random.Random(seed)
    weights = [weight for weight, _ in KINDS.values()]
    for number in range(count):
        if number % 997 == 500:
            yield '{"prompt": "cut off'
            continue
        _, make = chance.choices(list(KINDS.values()), weights)[0]
        row = make(chance)
        named = {"custom_id": f"{seed}:{number}"} if "method" in row or number % 3 else {}
        yield json.dumps({**named, **row})
