"""The promise, put to the test: random requests, ways to run them, and whether all are equal.

A request's answer must be the same, bit for bit, whatever runs beside it, in which order, in which
pieces, with what was found in the cache, and after it was preempted. `Witness` looks deeper: each
row of logits that the engine asks for must be what it was whenever it was asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from benchmarks.stress.answers import Answer, request, take
from benchmarks.stress.prompter import Prompter
from foretell.backends.base import Backend, BackendInfo, Batch, Bytes, KeepsBlocks
from foretell.decoding.drafts.lookup import LookupDrafter
from foretell.decoding.strategies.probe import LogitsProbe
from foretell.engine.engine import Engine
from foretell.engine.prefix_blocks import PrefixBlocks
from foretell.engine.request import Request
from foretell.engine.settings import EngineSettings
from foretell.engine.stats import EngineStats
from foretell.errors import RequestError
from foretell.utils.arrays import Logits

SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"repetition_penalty": 1.3, "logprobs": 3},
    {"no_repeat_ngram_size": 2, "presence_penalty": 0.4},
    {"temperature": 0.9, "logprobs": 0},
    {"temperature": 1.4, "top_k": 40, "top_p": 0.9, "frequency_penalty": 0.3},
    {"temperature": 0.7, "min_p": 0.05, "logprobs": 2, "logprobs_stage": ("raw", "final")},
    {"typical_p": 0.8},
    {"mirostat": 2},
    {"mirostat": 1, "logprobs": 1},
    {"dry_multiplier": 0.8, "top_n_sigma": 1.5},
    {"xtc_probability": 0.5, "top_h": 0.6},
    {"temperature": 1.0, "dialect": "llama.cpp"},
    {"num_beams": 3, "logprobs": 1},
    {"num_beams": 2, "temperature": 1.2, "do_sample": True, "logprobs": None},
)
NUM_BASES = 4  # beginnings that some prompts share
MOST_SAMPLES = 4
SHORT_PROMPT = 40  # tokens of those that run in the smallest pool
MOST_KEPT = 50  # prompts whose blocks are taken out, which takes memory
LONG_ANSWER = 60  # tokens of some answers, for which blocks must be found that were not foreseen


def make_requests(
    number: int, vocab_size: int, *, longest: int = 1000, new_tokens: int = 8, seed: int = 0
) -> list[Request]:
    """Requests of all kinds, prompts of 1 to `longest` tokens, short ones more often."""
    rng = np.random.default_rng(seed)
    bases = rng.integers(0, vocab_size, (NUM_BASES, longest)).tolist()
    lengths = (longest ** rng.random(number)).astype(int).tolist()
    lengths[: min(2, number)] = [1, longest][:number]
    return [_make_request(rng, bases, length, vocab_size, new_tokens) for length in lengths]


def _make_request(
    rng: np.random.Generator,
    bases: list[list[int]],
    length: int,
    vocab_size: int,
    new_tokens: int,
) -> Request:
    shared = int(rng.integers(0, length + 1)) if rng.random() < 0.5 else 0
    prompt = bases[rng.integers(NUM_BASES)][:shared]
    prompt = prompt + rng.integers(0, vocab_size, length - shared).tolist()
    settings = {"logprobs": 1, **SETTINGS[rng.integers(len(SETTINGS))]}
    settings |= {"seed": int(rng.integers(2**32)), "priority": int(rng.integers(2))}
    most = LONG_ANSWER if rng.random() < 0.25 else new_tokens
    settings["max_new_tokens"] = int(rng.integers(1, most + 1))
    if rng.random() < 0.2:
        settings["prompt_logprobs"] = int(rng.integers(3))
    if "num_beams" in settings:
        settings["num_return_sequences"] = int(rng.integers(1, settings["num_beams"] + 1))
        return request(prompt, **settings)
    if rng.random() < 0.1:
        settings |= {"guidance_scale": 1.5, "negative_prompt": prompt[: length // 2 + 1]}
    wish = request(prompt, **settings)
    if wish.config.is_sampling and rng.random() < 0.4:
        settings["num_return_sequences"] = int(rng.integers(2, MOST_SAMPLES + 1))
    return request(prompt, **settings)


class Witness:
    """A backend that remembers each row of logits by the tokens up to it.

    Args:
        backend: runs the model.
        rows: digests of rows by those of the tokens, or with a tolerance the rows; may be shared by
            witnesses of one model.
        num_blocks: a smaller pool than the backend's own.
        tolerance: by how much a row may differ that should be the same.

    Attributes:
        num_rows: rows asked for so far.
        num_known: how many of them had been asked for before.
        num_differing: how many of these were not the same: bit for bit, without a tolerance.
    """

    def __init__(
        self,
        backend: Backend,
        rows: dict[bytes, Any],
        *,
        num_blocks: int | None = None,
        tolerance: float = 0.0,
    ) -> None:
        self._backend = backend
        self._tolerance = tolerance
        self._rows = rows
        self._info = replace(backend.info, num_blocks=num_blocks or backend.info.num_blocks)
        self._taken_out: dict[bytes, np.ndarray] = {}
        self._tokens = np.full((self._info.num_blocks, self._info.block_size), -1, np.int32)
        self.num_rows = self.num_known = self.num_differing = 0

    @property
    def info(self) -> BackendInfo:
        """The backend's, with the pool that was asked for."""
        return self._info

    def forward(self, batch: Batch) -> Logits:
        """The backend's answer, looked at row by row."""
        logits = self._backend.forward(batch)
        size = self._info.block_size
        owners = np.repeat(np.arange(len(batch.starts) - 1), np.diff(batch.starts))
        blocks = batch.block_tables[owners, batch.positions // size]
        self._tokens[blocks, batch.positions % size] = batch.tokens
        for place, row in zip(batch.logits_indices.tolist(), logits, strict=True):
            table, length = batch.block_tables[owners[place]], batch.positions[place] + 1
            past = self._tokens[table[: -(-length // size)]].reshape(-1)[:length]
            self._note(_digest(past), row)
        return logits

    def _note(self, past: bytes, row: np.ndarray) -> None:
        self.num_rows += 1
        self.num_known += past in self._rows
        if not self._tolerance:
            self.num_differing += self._rows.setdefault(past, _digest(row)) != _digest(row)
            return
        distance = np.abs(self._rows.setdefault(past, row.copy()) - row).max()
        self.num_differing += not distance <= self._tolerance

    def copy_blocks(self, pairs: Sequence[tuple[int, int]]) -> None:
        """As the backend does."""
        self._backend.copy_blocks(pairs)
        for source, destination in pairs:
            self._tokens[destination] = self._tokens[source]

    def read_block(self, block: int) -> Bytes:
        """A block's bytes; whose tokens they are is remembered."""
        data = cast(KeepsBlocks, self._backend).read_block(block)
        self._taken_out[_digest(data)] = self._tokens[block].copy()
        return data

    def write_block(self, block: int, data: Bytes, end: int) -> None:
        """Bytes that were read before, in a block."""
        cast(KeepsBlocks, self._backend).write_block(block, data, end)
        self._tokens[block] = self._taken_out[_digest(data)]


def _digest(values: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(values), digest_size=16).digest()


def least_pool(requests: Sequence[Request], info: BackendInfo) -> int:
    """The fewest blocks in which each of the requests can run, alone."""
    return next(
        number
        for number in range(1, info.num_blocks + 1)
        if all(_fits(one, replace(info, num_blocks=number)) for one in requests)
    )


def _fits(wish: Request, info: BackendInfo) -> bool:
    try:
        wish.check(info)
    except RequestError:
        return False
    return True


@dataclass(frozen=True)
class Outcome:
    """What all requests were answered in one way of running them, in their own order."""

    answers: list[Answer]
    stats: EngineStats


def run_alone(backend: Backend, requests: Sequence[Request]) -> list[Answer]:
    """Each request in an engine of its own, with nothing in its cache."""
    return [run_together(Engine(backend), [one]).answers[0] for one in requests]


def run_together(
    engine: Engine,
    requests: Sequence[Request],
    order: Sequence[int] | None = None,
    *,
    at_once: bool = True,
) -> Outcome:
    """All requests in one engine, in some order; sent at once, or a few with each step."""
    order = range(len(requests)) if order is None else order
    indices: dict[int, int] = {}
    answers: dict[int, Answer] = {}
    for group in _arrivals(order, at_once=at_once):
        indices |= {engine.add(requests[index]): index for index in group}
        take(engine.step(), answers)
    while engine.has_work:
        take(engine.step(), answers)
    by_index = {indices[identity]: answer for identity, answer in answers.items()}
    return Outcome([by_index[index] for index in range(len(requests))], engine.stats())


def _shuffled(requests: Sequence[Request], seed: int) -> list[int]:
    return np.random.default_rng(seed).permutation(len(requests)).tolist()


def _arrivals(order: Sequence[int], *, at_once: bool) -> Iterator[Sequence[int]]:
    rng = np.random.default_rng(0)
    while order:
        count = len(order) if at_once else int(rng.integers(0, 4))
        yield order[:count]
        order = order[count:]


def run_beside_quitters(engine: Engine, requests: Sequence[Request], *, seed: int) -> Outcome:
    """All requests, each beside a twin of another that is given up after some steps."""
    rng = np.random.default_rng(seed)
    indices: dict[int, int] = {}
    answers: dict[int, Answer] = {}
    leaving: dict[int, int] = {}
    for index, wish in enumerate(requests):
        indices[engine.add(wish)] = index
        twin = engine.add(requests[rng.integers(len(requests))])
        leaving[twin] = int(rng.integers(0, 12))
    step = 0
    while engine.has_work:
        for twin in [one for one, when in leaving.items() if when <= step]:
            engine.abort(twin)
            del leaving[twin]
        take(engine.step(), answers)
        step += 1
    by_index = {indices[one]: answer for one, answer in answers.items() if one in indices}
    return Outcome([by_index[index] for index in range(len(requests))], engine.stats())


Way = Callable[[Backend, Sequence[Request]], Outcome]


def _together(*, shuffle: int | None = None, at_once: bool = True, **settings: Any) -> Way:
    def run(backend: Backend, requests: Sequence[Request]) -> Outcome:
        engine = Engine(backend, EngineSettings(**settings))
        order = None if shuffle is None else _shuffled(requests, shuffle)
        return run_together(engine, requests, order, at_once=at_once)

    return run


def _warm(backend: Backend, requests: Sequence[Request]) -> Outcome:
    engine = Engine(backend)
    run_together(engine, requests)
    return run_together(engine, requests, _shuffled(requests, 3))


def _beside_quitters(backend: Backend, requests: Sequence[Request]) -> Outcome:
    return run_beside_quitters(Engine(backend), requests, seed=4)


def _speculating(backend: Backend, requests: Sequence[Request]) -> Outcome:
    """By a drafter that knows what will be answered, and is wrong now and then."""
    prompter = Prompter(backend.info.vocab_size)
    for wish, answer in zip(requests, run_together(Engine(backend), requests).answers, strict=True):
        prompter.texts += [[*wish.prompt, *sample.tokens] for sample in answer.samples.values()]
    engine = Engine(backend, drafter=prompter)
    return run_together(engine, requests, _shuffled(requests, 5))


def _with_kept_prefixes(backend: Backend, requests: Sequence[Request]) -> Outcome:
    """With the first prompts' blocks, taken as bytes out of an engine that is no more."""
    kept = [_take_out(Engine(backend), one.prompt) for one in requests[:MOST_KEPT]]
    engine = Engine(backend)
    for wish, data in zip(requests, kept, strict=False):
        blocks = PrefixBlocks(engine, wish.prompt)
        blocks.place(data)
        blocks.publish()
        blocks.drop()
    return run_together(engine, requests, _shuffled(requests, 6))


def _take_out(engine: Engine, prompt: Sequence[int]) -> Sequence[Bytes]:
    engine.add(Request(prompt, strategy=LogitsProbe()))
    while engine.has_work:
        engine.step()
    blocks = PrefixBlocks(engine, prompt)
    return blocks.read(0, blocks.num_blocks)


def _looking_up(backend: Backend, requests: Sequence[Request]) -> Outcome:
    return run_together(Engine(backend, drafter=LookupDrafter()), requests)


WAYS: dict[str, Way] = {
    "together": _together(),
    "shuffled": _together(shuffle=1),
    "a few with each step": _together(shuffle=2, at_once=False),
    "batches of 16 tokens": _together(shuffle=16, max_batch_tokens=16),
    "batches of 64 tokens": _together(shuffle=64, max_batch_tokens=64),
    "batches of 512 tokens": _together(shuffle=512, max_batch_tokens=512),
    "warm cache": _warm,
    "no cache": _together(prefix_caching=False),
    "beside quitters": _beside_quitters,
    "speculation": _speculating,
    "speculation by lookup": _looking_up,
    "kept prefixes": _with_kept_prefixes,
}
"""Ways to run many requests on one backend."""


def short_ones(requests: Sequence[Request]) -> list[int]:
    """Places of the requests with short prompts; squeezed, these grow most beside each other."""
    return [index for index, one in enumerate(requests) if len(one.prompt) <= SHORT_PROMPT]


def run_squeezed(
    backend: Backend, requests: Sequence[Request], rows: dict[bytes, bytes]
) -> tuple[Outcome, Witness]:
    """All at once in a pool that just holds the largest of them, so that others are preempted."""
    small = Witness(backend, rows, num_blocks=least_pool(requests, backend.info))
    return run_together(Engine(small), requests), small
