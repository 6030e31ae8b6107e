"""What transformers 4.55 finds by group and by constrained beam search: values for the tests.

usage: python -m benchmarks.oracles.searches OUT.json   (torch==2.13.0, transformers==4.55.4)

Later releases have neither search. Two kinds of models: logits by a generator that is seeded with
the tokens so far, so that both sides see the same bits; and a tiny GPT-2 with weights by a seeded
generator, for whole calls with padded batches. One fault of theirs is mended before: copies of a
word with alternatives that is under way share one list of its tokens.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VOCAB = 40
MODEL_VOCAB = 24
MODEL_IDS = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
NUM_CASES = 120  # of each kind of search
NUM_CALLS = 60


def rows_after(
    sequences: list[list[int]], vocab_size: int = VOCAB, spread: float = 2.0
) -> list[NDArray[np.float32]]:
    """Logits after each of some sequences, by whims that depend on all of its tokens."""
    rows = []
    for tokens in sequences:
        generator = np.random.default_rng([len(tokens), *tokens])
        rows.append((generator.standard_normal(vocab_size) * spread).astype(np.float32))
    return rows


def fill(parameters: Any) -> None:
    """Give a model's parameters, `(name, tensor)` in any order, the weights of the cases."""
    for number, (_, parameter) in enumerate(sorted(parameters, key=lambda pair: pair[0])):
        generator = np.random.default_rng([7, number])
        values = generator.standard_normal(tuple(parameter.shape)) * 0.3
        parameter.data[...] = parameter.data.new_tensor(values.astype(np.float32))


def random_words(choose: random.Random, ids: list[int]) -> list[Any]:
    """Phrases of these ids, and some of them with alternatives."""

    def phrase() -> list[int]:
        return [choose.choice(ids) for _ in range(choose.choice([1, 1, 2, 3]))]

    words: list[Any] = []
    for _ in range(choose.choice([1, 1, 2, 3])):
        alternatives = [phrase() for _ in range(choose.choice([1, 1, 1, 2, 3]))]
        starts = [tuple(one[:length]) for one in alternatives for length in range(1, len(one))]
        are_apart = len({*map(tuple, alternatives)}) == len(alternatives)
        if any(tuple(one) in starts for one in alternatives) or not are_apart:
            alternatives = alternatives[:1]  # none may begin with another one
        words.append(alternatives if len(alternatives) > 1 else alternatives[0])
    return words


def random_settings(choose: random.Random, kind: str, ids: list[int]) -> dict[str, Any]:
    """Settings of one search, with words of these ids."""
    settings: dict[str, Any] = {
        "length_penalty": choose.choice([0.0, 1.0, 0.5, 2.0, -1.0]),
        "early_stopping": choose.choice([True, False, "never"]),
        "max_new_tokens": choose.randint(1, 14),
    }
    if kind == "diverse":
        groups, size = choose.choice([(2, 1), (2, 2), (3, 1), (3, 2), (4, 1), (2, 3), (4, 2)])
        settings |= {"num_beams": groups * size, "num_beam_groups": groups}
        settings["diversity_penalty"] = choose.choice([0.1, 0.5, 1.0, 2.5, 20.0])
    else:
        settings["num_beams"] = choose.choice([2, 3, 4, 5, 8])
        settings["force_words_ids"] = random_words(choose, ids)
    settings["num_return_sequences"] = choose.randint(1, settings["num_beams"])
    if choose.random() < 0.3:
        settings["repetition_penalty"] = choose.choice([1.2, 1.5, 0.8])
    if choose.random() < 0.2 and kind == "diverse":  # a banned word is kept, at -inf, in theirs
        settings["no_repeat_ngram_size"] = choose.choice([2, 3])
    if choose.random() < 0.2:
        settings["min_new_tokens"] = choose.randint(1, min(5, settings["max_new_tokens"]))
    return settings


def _without(ids: list[int], vocab_size: int) -> list[int]:
    """All other ids: a word with an end of sequence goes on behind it in transformers."""
    return [one for one in range(vocab_size) if one not in ids]


def case_of(number: int, kind: str) -> dict[str, Any]:
    """One search over the logits by whim."""
    choose = random.Random(f"{kind} {number}")
    eos = choose.sample(range(VOCAB), choose.choice([0, 1, 1, 2, 4, 8]))
    settings = random_settings(choose, kind, _without(eos, VOCAB))
    prompt = [choose.randrange(VOCAB) for _ in range(choose.randint(1, 6))]
    return {"settings": settings, "eos": eos, "pad": choose.randrange(VOCAB), "prompt": prompt}


def call_of(number: int) -> dict[str, Any]:
    """One call with a batch of prompts, padded on the left."""
    kind = "diverse" if number % 2 else "constrained"
    choose = random.Random(f"call {number}")
    eos = choose.choice([[1], [1, 5], [4, 9, 13, 17]])
    settings = random_settings(choose, kind, _without([0, 1, 2, *eos], MODEL_VOCAB))
    settings["eos_token_id"] = eos
    length = choose.randint(2, 6)
    rows, masks = [], []
    for _ in range(choose.randint(1, 3)):
        pads = 0 if "repetition_penalty" in settings else choose.randrange(length)
        ids = [choose.randrange(3, MODEL_VOCAB) for _ in range(length - pads)]
        rows.append([2] * pads + ids)
        masks.append([0] * pads + [1] * (length - pads))
    return {"settings": settings, "input_ids": rows, "attention_mask": masks}


def table_model() -> Any:
    """The logits by whim, as a model of transformers'."""
    import torch
    from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
    from transformers.modeling_outputs import CausalLMOutputWithPast

    class Whims(PreTrainedModel, GenerationMixin):  # type: ignore[misc]
        config_class = PretrainedConfig
        main_input_name = "input_ids"

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.unused = torch.nn.Parameter(torch.zeros(1))

        def forward(self, input_ids: Any = None, attention_mask: Any = None, **_: Any) -> Any:
            rows = np.stack(rows_after(input_ids.tolist()))
            return CausalLMOutputWithPast(logits=torch.from_numpy(rows)[:, None])

        def prepare_inputs_for_generation(self, input_ids: Any, **kwargs: Any) -> Any:
            return {"input_ids": input_ids}

    return Whims(PretrainedConfig(vocab_size=VOCAB)).eval()


def tiny_model() -> Any:
    """A GPT-2 with weights of its own."""
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {"n_positions": 64, "n_embd": 16, "n_layer": 2, "n_head": 2}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=MODEL_VOCAB, **sizes, **MODEL_IDS)).eval()
    fill(model.named_parameters())
    return model


def mend_copies() -> None:
    """Let copies of a word with alternatives have a list of their own."""
    from transformers.generation.beam_constraints import DisjunctiveConstraint

    copy = DisjunctiveConstraint.copy

    def mended(self: Any, stateful: bool = False) -> Any:
        made = copy(self, stateful=stateful)
        made.current_seq = [*made.current_seq]
        return made

    DisjunctiveConstraint.copy = mended


def found_by(model: Any, ids: list[list[int]], mask: list[list[int]], **settings: Any) -> Any:
    """What is generated, and the scores, where transformers can tell them.

    It cannot where texts are returned that lack words.
    """
    import torch

    def generate(**how: Any) -> Any:
        inputs, attention = torch.tensor(ids), torch.tensor(mask)
        return model.generate(inputs, attention_mask=attention, do_sample=False, **settings, **how)

    start = len(ids[0])
    try:
        out = generate(return_dict_in_generate=True, output_scores=True)
    except RuntimeError:
        return {"tokens": generate()[:, start:].tolist(), "scores": None}
    tokens = out.sequences[:, start:].tolist()
    return {"tokens": tokens, "scores": out.sequences_scores.tolist()}


def answer_case(model: Any, case: dict[str, Any]) -> dict[str, Any]:
    """The case, with what is found."""
    prompt, given = [case["prompt"]], {"eos_token_id": case["eos"] or None}
    mask = [[1] * len(case["prompt"])]
    found = found_by(
        model, prompt, mask, pad_token_id=case["pad"], use_cache=False, **given, **case["settings"]
    )
    return {**case, **found}


def main() -> None:
    """Answer all cases."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    mend_copies()
    model, tiny = table_model(), tiny_model()
    answers: dict[str, Any] = {
        "transformers": transformers.__version__,
        "torch": torch.__version__,
    }
    for kind in ("diverse", "constrained"):
        answers[kind] = [answer_case(model, case_of(number, kind)) for number in range(NUM_CASES)]
    calls = [call_of(number) for number in range(NUM_CALLS)]
    answers["calls"] = [
        {**one, **found_by(tiny, one["input_ids"], one["attention_mask"], **one["settings"])}
        for one in calls
    ]
    Path(sys.argv[1]).write_text(json.dumps(answers) + "\n")


if __name__ == "__main__":
    main()
