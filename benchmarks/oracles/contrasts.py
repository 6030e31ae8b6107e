"""What transformers' own contrastive search and DoLa wrote, while it had them: values for tests.

usage: python -m benchmarks.oracles.contrasts OUT.json   (where transformers 4.52 is installed)

Its fifth release has neither. The models are tiny, and their weights follow from a seed by numpy,
so that a test makes the same ones with any release: `numbered_model`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

VOCAB_SIZE = 48
IDS = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
PROMPTS = ([5, 6, 7, 8], [9], [21, 20, 19, 20, 21, 20, 19, 33, 40, 3, 17, 28], [30, 30, 30, 31])
NEW_TOKENS = 14
MODELS = ("llama", "tied", "gpt2", "shallow", "deep")
PROCESSED: tuple[dict[str, Any], ...] = (
    {},
    {"repetition_penalty": 1.4},
    {"no_repeat_ngram_size": 2, "min_new_tokens": 5},
    {"suppress_tokens": [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]},
)

NUM_UNMASKED = 2


def numbered_model(kind: str) -> Any:
    """A model whose weights are normal random numbers of numpy, in the order of their names."""
    if kind == "gpt2":
        config = GPT2Config(
            vocab_size=VOCAB_SIZE, n_positions=64, n_embd=32, n_layer=4, n_head=2, **IDS
        )
        model: Any = GPT2LMHeadModel(config)
    else:
        layers = {"shallow": 2, "deep": 42}.get(kind, 6)
        tied = kind in ("tied", "shallow")
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=VOCAB_SIZE,
                hidden_size=32,
                intermediate_size=48,
                num_hidden_layers=layers,
                num_attention_heads=2,
                num_key_value_heads=1,
                max_position_embeddings=64,
                tie_word_embeddings=tied,
                **IDS,
            )
        )
    dice = np.random.default_rng(MODELS.index(kind))
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            noise = dice.standard_normal(tuple(weight.shape)).astype(np.float32)
            middle, spread = (1.0, 0.2) if "norm" in name or "ln_" in name else (0.0, 0.3)
            if name.endswith("bias"):
                middle = 0.0
            weight.copy_(torch.from_numpy(middle + spread * noise))
    return model.eval()


def cases() -> list[dict[str, Any]]:
    """Settings of all searches, each with a model's name.

    None with masks that may leave nothing: transformers then writes a token that is ruled out.
    """
    found: list[dict[str, Any]] = []
    for kind in ("llama", "tied", "gpt2"):
        for alpha, k in ((0.6, 4), (0.2, 2), (0.9, 10), (0.4, VOCAB_SIZE)):
            for more in PROCESSED[: NUM_UNMASKED if k == VOCAB_SIZE else None]:
                found.append({"model": kind, "penalty_alpha": alpha, "top_k": k, **more})
    layers: tuple[Any, ...] = ("low", "high", [0], [1, 3], [3, 0, 2])
    for kind in MODELS:
        for wanted in layers[: 3 if kind == "shallow" else None]:
            for more in PROCESSED[:NUM_UNMASKED]:
                found.append({"model": kind, "dola_layers": wanted, **more})
    return found


def main(path: str) -> None:
    """Write the ids that each case goes on with, for each prompt."""
    models = {kind: numbered_model(kind) for kind in MODELS}
    written = []
    for case in cases():
        settings = {key: value for key, value in case.items() if key != "model"}
        texts = []
        for prompt in PROMPTS:
            ids = torch.tensor([prompt])
            answer = models[case["model"]].generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=NEW_TOKENS,
                do_sample=False,
                **settings,
            )
            texts.append(answer[0, len(prompt) :].tolist())
        written.append({**case, "texts": texts})
    released = f"transformers {transformers.__version__}, torch {torch.__version__}"
    content = {"made_by": released, "prompts": PROMPTS, "new_tokens": NEW_TOKENS, "cases": written}
    text = json.dumps(content, separators=(",", ":")).replace('{"model"', '\n{"model"')
    Path(path).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
