"""Models of transformers on an accelerator, run by foretell, beside their own `generate`.

    python -m benchmarks.speed.accelerator --device cuda --output result.json

First the tokens: of each family in FAMILIES a model of some 100 million random weights in float32
continues eight prompts of unlike lengths, all at once in foretell and one by one in `generate`; 32
greedy tokens of each must be the same. Then the speed: 1, 8 and 32 sequences of 16 tokens are
continued by 128, greedily, in bfloat16, by a model in the shape of Llama 3.2 1B. In each round each
engine has a turn with the same prompts. The figure is tokens generated over the wall clock of the
whole call, prefill included. The engines are `LLM.generate`, and `generate` with a cache that grows
(its default), with a static one, and with a static one and the model compiled, as transformers does
by itself where a static cache is asked for. Compiling, which takes a minute, happens before.

The interpreter needs foretell, torch and transformers; foretell's own kernels are not used.
"""

from __future__ import annotations

import argparse
import datetime
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GPT2Config,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
)
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from benchmarks.common.harness import RESULTS, circumstances, show, spread
from foretell.llm import LLM

NO_IDS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
WIDTHS: dict[str, Any] = {
    "vocab_size": 32_000,
    "hidden_size": 768,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_key_value_heads": 4,
    **NO_IDS,
}
FAMILIES: dict[str, PretrainedConfig] = {
    "llama": LlamaConfig(**WIDTHS),
    "qwen3": Qwen3Config(**WIDTHS, head_dim=64),
    "gpt2": GPT2Config(**NO_IDS),
}
LLAMA_1B = LlamaConfig(
    vocab_size=128_256,
    hidden_size=2048,
    intermediate_size=8192,
    num_hidden_layers=16,
    num_attention_heads=32,
    num_key_value_heads=8,
    max_position_embeddings=4096,
    tie_word_embeddings=True,
    **NO_IDS,
)
LENGTHS = (1, 3, 16, 17, 40, 100, 250, 600)  # of prompts
NUM_CHECKED = 32
PROMPT_TOKENS = 16
NUM_NEW = 128

Prompts = list[list[int]]
Engine = Callable[[Prompts, int], Prompts]
"""From prompts and a number of tokens to those tokens of each."""


def make_model(config: PretrainedConfig, device: str, dtype: torch.dtype) -> PreTrainedModel:
    """A model of random weights, wide enough apart that its greedy choices vary."""
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.normal_(0, 0.05)
    return model


def make_tokenizer(vocab_size: int) -> PreTrainedTokenizerFast:
    """A name for each id: the bytes, and numbers."""
    names = [*sorted(pre_tokenizers.ByteLevel.alphabet())]
    names += [f"n{index}" for index in range(len(names), vocab_size)]
    inner = Tokenizer(models.BPE({name: index for index, name in enumerate(names)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner)


def draw_prompts(lengths: tuple[int, ...], vocab_size: int, seed: int) -> Prompts:
    """Random ids."""
    dice = np.random.default_rng(seed)
    return [dice.integers(0, vocab_size, length).tolist() for length in lengths]


def with_foretell(model: PreTrainedModel) -> Engine:
    """`LLM.generate` of all prompts."""
    llm = LLM(model, tokenizer=make_tokenizer(model.config.vocab_size), speculation=None)

    def run(prompts: Prompts, count: int) -> Prompts:
        outputs = llm.generate(prompts, max_new_tokens=count, ignore_eos=True)
        return [output.token_ids for output in outputs]

    return run


def with_generate(model: PreTrainedModel, **settings: Any) -> Engine:
    """Their own `generate` of prompts of one length, as one batch."""

    @torch.inference_mode()
    def run(prompts: Prompts, count: int) -> Prompts:
        ids = torch.tensor(prompts, device=model.device)
        whole = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=count,
            min_new_tokens=count,
            do_sample=False,
            **settings,
        )
        return whole[:, ids.shape[1] :].tolist()

    return run


def check_tokens(device: str) -> dict[str, Any]:
    """By family, how many of the prompts go on with the tokens of `generate`."""
    found = {}
    for name, config in FAMILIES.items():
        model = make_model(config, device, torch.float32)
        prompts = draw_prompts(LENGTHS, config.vocab_size, seed=1)
        ours, theirs = with_foretell(model), with_generate(model)
        expected = [theirs([prompt], NUM_CHECKED)[0] for prompt in prompts]
        pairs = list(zip(ours(prompts, NUM_CHECKED), expected, strict=True))
        found[name] = {
            "weights": model.num_parameters(),
            "same": sum(one == other for one, other in pairs),
            "of": len(pairs),
            "kinds_of_tokens": len({token for ids in expected for token in ids}),
        }
        print(f"{name}: {json.dumps(found[name])}", flush=True)
    return found


def measure(engine: Engine, prompts: Prompts, count: int) -> float:
    """Tokens a second by the wall clock of one call."""
    start = time.perf_counter()
    found = engine(prompts, count)
    seconds = time.perf_counter() - start
    if [len(ids) for ids in found] != [count] * len(prompts):
        raise SystemExit("an engine gave too few tokens")
    return len(prompts) * count / seconds


def compare_speed(device: str, counts: list[int], rounds: int, compiles: bool) -> dict[str, Any]:
    """By number of sequences and engine, the spread of tokens a second."""
    model = make_model(LLAMA_1B, device, torch.bfloat16)
    static = {"cache_implementation": "static"}
    engines = {
        "foretell": with_foretell(model),
        "generate": with_generate(model),
        "generate, static": with_generate(model, **static, disable_compile=True),
    }
    if compiles:
        engines["generate, static, compiled"] = with_generate(model, **static)
    found: dict[str, Any] = {}
    for number in counts:
        speeds: dict[str, list[float]] = {name: [] for name in engines}
        for turn in range(-1, rounds):  # the first warms up, and compiles
            prompts = draw_prompts((PROMPT_TOKENS,) * number, LLAMA_1B.vocab_size, seed=2 + turn)
            for name, engine in engines.items():
                speed = measure(engine, prompts, NUM_NEW)
                if turn >= 0:
                    speeds[name].append(speed)
        found[str(number)] = {name: spread(values) for name, values in speeds.items()}
        for name, values in found[str(number)].items():
            show(f"{number} sequences, {name}", values, "tokens/s")
    return found


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Tell how long something took."""
    start = time.perf_counter()
    yield
    print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)


def main() -> None:
    """Check the tokens, measure the speed, and write both down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sequences", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-compile", action="store_true", help="leave out the compiled model")
    parser.add_argument("--note", default="", help="kept in the result")
    parser.add_argument("--output", type=Path, help="default: results/<date>-accelerator.json")
    arguments = parser.parse_args()
    now = datetime.datetime.now(datetime.UTC)
    path = arguments.output or RESULTS / f"{now:%Y-%m-%d-%H%M}-accelerator.json"
    result = {
        **circumstances("accelerator", now),
        "device": torch.cuda.get_device_name() if arguments.device == "cuda" else arguments.device,
        "versions": {name: version(name) for name in ("torch", "transformers")},
        "note": arguments.note,
    }
    with timed("tokens"):
        result["tokens"] = check_tokens(arguments.device)
    path.write_text(json.dumps(result, indent=2) + "\n")
    with timed("speed"):
        result["speed"] = compare_speed(
            arguments.device, arguments.sequences, arguments.rounds, not arguments.no_compile
        )
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
