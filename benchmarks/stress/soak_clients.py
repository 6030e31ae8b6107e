"""The clients of soak.py: what they ask for, and how they read or abandon it."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.common.texts import prose
from foretell import AsyncLLM
from foretell.errors import ForetellError, QueueFullError
from foretell.outputs import GenerationOutput

NUM_SHARED = 3  # beginnings that many prompts share
SHARED_TOKENS = 200
MAX_OWN_TOKENS = 300  # of a prompt, after what it may share
MAX_NEW_TOKENS = 64
MAX_SAMPLES = 4
KNOWN_SEED = 2**32  # seeds of the requests whose answer is known start here

SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"temperature": 0.8, "top_p": 0.9},
    {"temperature": 1.3, "min_p": 0.05},
    {"temperature": 0.7, "top_k": 40, "frequency_penalty": 0.5},
    {"temperature": 1.0, "typical_p": 0.9, "repetition_penalty": 1.1},
    {"temperature": 0.9, "mirostat": 2},
    {"no_repeat_ngram_size": 3},
    {"stop": ["\n"]},
    {"temperature": 1.0, "stop_regex": r"[.!?]\s"},
    {"logprobs": 3},
    {"prompt_logprobs": 1},
    {"temperature": 0.8, "trace": True},
    {"temperature": 0.8, "guidance_scale": 1.5, "negative_prompt": "It is"},
    {"temperature": 1.0, "ignore_eos": True},
)
MANY_SAMPLES = ("guidance_scale", "trace")  # settings that are asked for one sample only

Way = Callable[[], Awaitable[None]]
Answer = list[list[int]]


@dataclass(frozen=True)
class Ask:
    """A prompt in ids and its settings, the seed among them."""

    prompt: list[int]
    settings: dict[str, Any]


class Clients:
    """So many clients at once, each of which sends one request after another.

    Attributes:
        counts: requests done, dropped on purpose, refused, failed; answers compared.
        complaints: what must not happen, and how often it did.
    """

    def __init__(self, llm: AsyncLLM, rng: random.Random, number: int) -> None:
        self.counts: Counter[str] = Counter()
        self.complaints: Counter[str] = Counter()
        self._llm = llm
        self._rng = rng
        self._number = number
        self._ids = llm.tokenizer.encode(prose().text)
        self._shared = [self._slice(SHARED_TOKENS) for _ in range(NUM_SHARED)]
        self._known: list[tuple[Ask, Answer]] = []

    async def learn(self, count: int) -> None:
        """Ask for some answers, each alone; they are compared with later ones."""
        for index in range(count):
            ask = self._ask(KNOWN_SEED + index)
            self._known.append((ask, await self._answer(ask)))

    async def run(self, deadline: float) -> None:
        """Send requests until the clock says so; come back when all are through."""
        await asyncio.gather(*(self._client(deadline) for _ in range(self._number)))

    async def _client(self, deadline: float) -> None:
        ways = (self._read, self._whole, self._several, self._repeat)
        unkind = (self._dawdle, self._leave, self._forget, self._cancelled)
        while time.monotonic() < deadline:
            way = self._rng.choice(ways + unkind)
            try:
                await way()
            except QueueFullError:
                self.counts["refused"] += 1
                await asyncio.sleep(self._rng.uniform(0.01, 0.2))
            except ForetellError as error:
                self.counts["failed"] += 1
                self.complaints[f"{way.__name__[1:]}: {type(error).__name__}: {error}"] += 1

    async def _read(self, pause: float = 0.0) -> None:
        """Read a stream to its end; its pieces, joined, must be the outputs' texts."""
        ask = self._ask()
        texts: dict[int, str] = {}
        outputs: list[GenerationOutput] = []
        async for chunk in self._stream(ask):
            texts[chunk.index] = texts.get(chunk.index, "") + chunk.text
            if chunk.output is not None:
                outputs.append(chunk.output)
            if pause:
                await asyncio.sleep(self._rng.uniform(0, pause))
        self._expect(
            len(outputs) == ask.settings.get("num_return_sequences", 1),
            "a stream did not end each of its samples",
        )
        for output in outputs:
            self._expect(texts[output.index] == output.text, "pieces differ from the output")
        self.counts["done"] += 1

    async def _dawdle(self) -> None:
        """Read to the end, slowly."""
        await self._read(pause=0.05)

    async def _leave(self) -> None:
        """Leave the loop early, and the stream to the garbage collector."""
        places = self._rng.randrange(MAX_NEW_TOKENS // 2)
        async for _ in self._stream(self._ask()):
            if places == 0:
                break
            places -= 1
        self.counts["dropped"] += 1

    async def _forget(self) -> None:
        """Take one chunk, or none, and drop the stream."""
        stream = self._stream(self._ask())
        if self._rng.random() < 0.7:
            async for _ in stream:
                break
        del stream
        self.counts["dropped"] += 1

    async def _cancelled(self) -> None:
        """Be cancelled at any moment, by stream or whole."""
        read = self._read if self._rng.random() < 0.5 else self._whole
        task = asyncio.create_task(read())
        await asyncio.wait([task], timeout=self._rng.uniform(0, 1.0))
        if task.done():
            task.result()
            return
        task.cancel()
        await asyncio.wait([task])
        if task.cancelled():
            self.counts["dropped"] += 1
        else:
            task.result()

    async def _whole(self) -> None:
        """Wait for all samples of one prompt."""
        await self._answer(self._ask())
        self.counts["done"] += 1

    async def _several(self) -> None:
        """A list of prompts, and their answers in its order."""
        asks = [self._ask() for _ in range(self._rng.randint(2, 4))]
        settings = asks[0].settings
        outputs = await self._llm.generate([ask.prompt for ask in asks], **settings)
        wanted = [ask.prompt for ask in asks for _ in range(_num_samples(settings))]
        given = [output.prompt_token_ids for output in outputs]
        self._expect(given == wanted, "a list's answers are out of order")
        self.counts["done"] += len(asks)

    async def _repeat(self) -> None:
        """A request whose answer is known."""
        if not self._known:
            return
        ask, answer = self._rng.choice(self._known)
        self._expect(await self._answer(ask) == answer, "a known answer came out differently")
        self.counts["repeated"] += 1
        self.counts["done"] += 1

    async def _answer(self, ask: Ask) -> Answer:
        found = await self._llm.generate(ask.prompt, priority=self._priority(), **ask.settings)
        outputs = found if isinstance(found, list) else [found]
        self._expect(len(outputs) == _num_samples(ask.settings), "samples are missing")
        return [output.token_ids for output in outputs]

    def _stream(self, ask: Ask) -> Any:
        return self._llm.stream(ask.prompt, priority=self._priority(), **ask.settings)

    def _priority(self) -> int:
        return self._rng.choice((-1, 0, 0, 0, 5))

    def _ask(self, seed: int | None = None) -> Ask:
        """A request at random; its seed is given or drawn."""
        settings = dict(self._rng.choice(SETTINGS))
        settings["max_new_tokens"] = self._rng.randint(1, MAX_NEW_TOKENS)
        if "temperature" in settings:
            settings["seed"] = self._rng.randrange(KNOWN_SEED) if seed is None else seed
            if not any(name in settings for name in MANY_SAMPLES) and self._rng.random() < 0.4:
                settings["num_return_sequences"] = self._rng.randint(2, MAX_SAMPLES)
        prompt = self._slice(self._rng.randint(1, MAX_OWN_TOKENS))
        if self._rng.random() < 0.5:
            prompt = self._rng.choice(self._shared) + prompt
        return Ask(prompt, settings)

    def _slice(self, count: int) -> list[int]:
        start = self._rng.randrange(len(self._ids) - count)
        return self._ids[start : start + count]

    def _expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.complaints[otherwise] += 1


def _num_samples(settings: dict[str, Any]) -> int:
    count: int = settings.get("num_return_sequences", 1)
    return count
