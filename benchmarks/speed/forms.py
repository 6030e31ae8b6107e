"""What a form costs a step, and what its forced tokens save: by CPU time, in one thread.

    .venv/bin/python -m benchmarks.speed.forms MODEL.gguf

The mask of a JSON schema is replayed over texts that were written by it, as the engine asks for it:
the matcher follows a token, the row is masked, and it is asked whether the text has ended. Beside
that, what a step takes without a form. Then the same texts are written with and without tokens that
are computed ahead (`speculate`), which must be the same tokens: JSON with free text, and JSON in
which only separators and choices are written. No other program has a say in CPU time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.common.harness import options, show, spread, verdict, write_result
from foretell import LLM, GenerationConfig
from foretell.config.schemas import closed
from foretell.decoding.processors.form import FormMask
from foretell.engine.sequence import Sequence as Written
from foretell.grammar.compiler import GrammarCompiler
from foretell.grammar.matcher import Matchers
from foretell.grammar.sources import source_of
from foretell.inputs.grammars import token_bytes

TEXT = {"type": "string", "minLength": 12, "maxLength": 40}
WORD = {"enum": ["red", "green", "blue", "white", "black"]}


def record(**properties: Any) -> dict[str, Any]:
    """An object with these keys and no others, all required."""
    schema = {"type": "object", "properties": properties, "required": [*properties]}
    found: dict[str, Any] = closed(schema)
    return found


FREE = record(
    full_name=TEXT,
    occupation=TEXT,
    place_of_birth=TEXT,
    favourite_book=TEXT,
    number_of_children={"type": "integer", "minimum": 0, "maximum": 9},
    description=TEXT,
)
FIXED = {
    "type": "array",
    "minItems": 6,
    "maxItems": 6,
    "items": record(
        is_available={"type": "boolean"},
        background_colour=WORD,
        foreground_colour=WORD,
        quantity_in_stock={"type": "integer", "minimum": 10, "maximum": 99},
    ),
}
FORMS: dict[str, tuple[dict[str, Any], str, float]] = {
    "free text": (FREE, "free", 1.4),
    "fixed separators": (FIXED, "compact", 1.8),
}
"""A schema, its white space, and the gain that is asked for."""

PROMPTS = ("An invented person, as JSON: ", "The stock of a shop, as JSON: ", "JSON: ")
MOST_OF_A_STEP = 0.06


def settings_of(name: str, **more: Any) -> dict[str, Any]:
    """What texts of a form are written with."""
    schema, whitespace, _ = FORMS[name]
    return {"json_schema": schema, "json_whitespace": whitespace, "max_new_tokens": 400, **more}


def cpu_of(llm: LLM, prompt: str, settings: dict[str, Any]) -> tuple[float, list[int]]:
    """CPU seconds from the first token to the last, and the ids."""
    chunks = llm.stream(prompt, **settings)
    next(chunks)
    start = time.process_time()
    *_, last = chunks
    return time.process_time() - start, last.require_output().token_ids


def step_seconds(llm: LLM, rounds: int) -> list[float]:
    """CPU seconds of a step without a form."""
    settings = {"max_new_tokens": 100, "ignore_eos": True, "speculate": False}
    found = [cpu_of(llm, PROMPTS[0], settings)[0] / 99 for _ in range(rounds + 1)]
    return found[1:]


def mask_seconds(llm: LLM, texts: Sequence[Sequence[int]], rounds: int) -> list[float]:
    """CPU seconds of the mask for a token, with all around it, in texts of the free form."""
    vocab_size = llm.info.vocab_size
    compiler = GrammarCompiler(lambda: token_bytes(llm.tokenizer, vocab_size))
    schema, whitespace, _ = FORMS["free text"]
    source = source_of(GenerationConfig(json_schema=schema, json_whitespace=whitespace))
    assert source is not None
    grammar = compiler.compile(source)
    row = np.random.default_rng(0).standard_normal(vocab_size).astype(np.float32)
    found = []
    for _ in range(rounds + 1):
        spent, number = 0.0, 0
        for ids in texts:
            spent += _replay(Matchers(grammar), ids, row, llm.tokenizer.eos_token_ids)
            number += len(ids)
        found.append(spent / number)
    return found[1:]


def _replay(
    matchers: Matchers, ids: Sequence[int], row: np.ndarray, eos_ids: frozenset[int]
) -> float:
    mask, text, own, spent = FormMask("json_schema", matchers, eos_ids), Written(0, [0]), row, 0.0
    for token in ids:
        own = row.copy()  # which is the engine's in any case
        start = time.thread_time()
        mask(own, text)
        text.tokens.append(token)
        _ = matchers.at(text).has_ended
        spent += time.thread_time() - start
    return spent


def gain(llm: LLM, name: str, rounds: int) -> dict[str, Any]:
    """How much faster a form's texts are written with what it forces computed ahead."""
    ratios = []
    for number in range(rounds + 1):
        seconds = [0.0, 0.0]
        for prompt in PROMPTS:
            sampling = {"temperature": 0.7, "seed": number}
            runs = [
                cpu_of(llm, prompt, settings_of(name, speculate=ahead, **sampling))
                for ahead in (False, True)
            ]
            if runs[0][1] != runs[1][1]:
                raise SystemExit(f"{name}: {prompt!r} is continued otherwise with forced tokens")
            seconds = [total + run[0] for total, run in zip(seconds, runs, strict=True)]
        ratios.append(seconds[0] / seconds[1])
    return verdict(f"gain of {name}", spread(ratios[1:]), least=FORMS[name][2])


def main() -> None:
    """Measure, print and write the result."""
    parser = options(__doc__.splitlines()[0], has_peers=False)
    parser.set_defaults(threads=1)
    parser.add_argument("--rounds", type=int, default=5, help="that count (default 5)")
    parser.add_argument("--speculation", help="what guesses beside: lookup (default: nothing)")
    arguments = parser.parse_args()
    with LLM(arguments.model, threads=arguments.threads, speculation=arguments.speculation) as llm:
        found = measure(llm, arguments)
        description, vocab_size = llm.info.description, llm.info.vocab_size
    result = {"description": description, "vocab_size": vocab_size, **found}
    write_result("forms", arguments, result)


def measure(llm: LLM, arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures of a model."""
    texts = [cpu_of(llm, prompt, settings_of("free text"))[1] for prompt in PROMPTS]
    steps = spread([1e6 * one for one in step_seconds(llm, arguments.rounds)])
    masks = spread([1e6 * one for one in mask_seconds(llm, texts, arguments.rounds)])
    shares = spread([one / steps["median"] for one in masks["all"]])
    share = verdict("mask, of a step", shares, most=MOST_OF_A_STEP)
    show(f"a step at {llm.info.vocab_size}", steps, "µs")
    show("a mask, with all around it", masks, "µs")
    show(share["name"], share, "")
    gains = [gain(llm, name, arguments.rounds) for name in FORMS]
    for one in gains:
        show(one["name"], one, "×")
    return {"step": steps, "mask": masks, "share": share, "gains": gains}


if __name__ == "__main__":
    main()
