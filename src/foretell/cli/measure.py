"""What `foretell bench` measures of a backend: speeds, and a fingerprint."""

from __future__ import annotations

import hashlib
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING

import numpy as np

from foretell.backends.base import Backend, Batch
from foretell.config import GenerationConfig
from foretell.engine.engine import Engine
from foretell.engine.events import EndEvent, TokenEvent
from foretell.engine.request import Request
from foretell.engine.settings import EngineSettings
from foretell.errors import ForetellError
from foretell.outputs import JsonMixin

if TYPE_CHECKING:
    from foretell.llm import LLM


@dataclass(frozen=True, repr=False)
class Spread(JsonMixin):
    """Median, least and most of the rounds."""

    median: float
    min: float
    max: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        """The spread of one figure over the rounds."""
        return Spread(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Run:
    """One generation on the clock: `seconds` from the request to each of its tokens."""

    num_prompt_tokens: int
    seconds: list[float]

    @property
    def prefill_tokens_per_second(self) -> float:
        """Prompt tokens over the seconds to the first token."""
        return self.num_prompt_tokens / self.seconds[0]

    @property
    def decode_tokens_per_second(self) -> float:
        """Tokens after the first over the seconds they took."""
        return (len(self.seconds) - 1) / (self.seconds[-1] - self.seconds[0])


@dataclass(frozen=True)
class Speeds:
    """What the rounds gave.

    Attributes:
        prefill: tokens per second of the long prompt.
        decode: tokens per second after the short prompt.
        time_to_first_token: seconds, short prompt, model loaded.
        bytes_per_token: weights, KV cache and state that a decode step reads; 0 if unknown.
    """

    prefill: Spread
    decode: Spread
    time_to_first_token: Spread
    bytes_per_token: float

    @property
    def decode_bytes_per_second(self) -> float:
        """Bytes that decoding reads each second, at its median speed."""
        return self.decode.median * self.bytes_per_token


def run_once(engine: Engine, prompt: Sequence[int], max_new_tokens: int) -> Run:
    """Decode greedily, past any end-of-sequence token, and note when each token comes."""
    config = GenerationConfig(max_new_tokens=max_new_tokens, ignore_eos=True)
    start = time.perf_counter()
    engine.add(Request(list(prompt), config))
    seconds: list[float] = []
    while engine.has_work:
        for event in engine.step():
            if isinstance(event, TokenEvent):
                seconds.append(time.perf_counter() - start)
            if isinstance(event, EndEvent):
                raise event.error or ForetellError(f"a run ended early: {event.finish_reason}")
    return Run(len(prompt), seconds)


def measure_speeds(
    backend: Backend, prompt: Sequence[int], *, tokens: int, prompt_tokens: int, rounds: int
) -> Speeds:
    """Prefill and decode in turns, after one round to warm up.

    `prompt` is the short prompt; repeated to `prompt_tokens`, it is the long one. RequestError if
    either does not fit the context.
    """
    engine = Engine(backend, EngineSettings(prefix_caching=False))
    long_prompt = list(islice(cycle(prompt), prompt_tokens))
    run_once(engine, long_prompt, 1)
    run_once(engine, prompt, tokens)
    prefills, decodes = [], []
    for _ in range(rounds):
        prefills.append(run_once(engine, long_prompt, 1))
        decodes.append(run_once(engine, prompt, tokens))
    info = backend.info
    kv_bytes = info.state_bytes + info.kv_bytes_per_token * (len(prompt) + tokens / 2)
    return Speeds(
        prefill=Spread.of([run.prefill_tokens_per_second for run in prefills]),
        decode=Spread.of([run.decode_tokens_per_second for run in decodes]),
        time_to_first_token=Spread.of([run.seconds[0] for run in decodes]),
        bytes_per_token=info.weight_bytes + kv_bytes if info.weight_bytes else 0.0,
    )


@dataclass(frozen=True, repr=False)
class Speculated(JsonMixin):
    """What speculation makes of the same decoding: tokens per second, and tokens of all rounds."""

    decode: Spread
    draft_tokens: int
    accepted_tokens: int
    completion_tokens: int


def measure_speculation(llm: LLM, prompt: Sequence[int], *, tokens: int, rounds: int) -> Speculated:
    """Decode after the short prompt as `measure_speeds` does, with what the LLM guesses."""
    usages = [
        llm.generate([prompt], max_new_tokens=tokens, ignore_eos=True)[0].usage
        for _ in range(rounds + 1)  # the first warms up
    ][1:]
    return Speculated(
        decode=Spread.of([usage.tokens_per_second for usage in usages]),
        draft_tokens=sum(usage.draft_tokens for usage in usages),
        accepted_tokens=sum(usage.accepted_tokens for usage in usages),
        completion_tokens=sum(usage.completion_tokens for usage in usages),
    )


def hash_logits(backend: Backend, prompt: Sequence[int]) -> str:
    """sha256 of the float32 logits after each token of the prompt, little-endian, row by row.

    The same model and settings give the same hash, whatever the instruction set and the threads.
    """
    info = backend.info
    digest = hashlib.sha256()
    table = np.arange(-(-len(prompt) // info.block_size), dtype=np.int32)[None, :]
    for start in range(0, len(prompt), info.max_batch_tokens):
        tokens = np.array(prompt[start : start + info.max_batch_tokens], dtype=np.int32)
        indices = np.arange(len(tokens), dtype=np.int32)
        starts = np.array([0, len(tokens)], dtype=np.int32)
        logits = backend.forward(Batch(tokens, start + indices, starts, table, indices))
        digest.update(logits.astype("<f4").tobytes())
    return digest.hexdigest()


def peak_memory() -> int | None:
    """Most bytes that this process has held in memory; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure_bandwidth(threads: int) -> float:
    """Bytes a second that this machine's memory gives to this number of threads that only read."""
    from foretell.backends.native import _core

    return _core.measure_bandwidth(threads)
