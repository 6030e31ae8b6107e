"""Toy backends that are slow, late or wrong."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.backends.base import BackendInfo, Batch
from foretell.backends.scripted import ScriptedBackend
from foretell.utils.arrays import Logits
from support.toy import VOCAB_SIZE
from support.toy_async import SCRIPT, scripted

STEP_SECONDS = 0.005
LOADING_SECONDS = 60.0


class SlowBackend(ScriptedBackend):
    """Takes a while for each step."""

    def __init__(self) -> None:
        super().__init__(SCRIPT, vocab_size=VOCAB_SIZE, context_length=4096, num_blocks=2048)

    def forward(self, batch: Batch) -> Logits:
        time.sleep(STEP_SECONDS)
        return super().forward(batch)


class LoadingBackend(ScriptedBackend):
    """Cannot be used before a file is there."""

    def __init__(self, flag: Path) -> None:
        super().__init__(SCRIPT, vocab_size=VOCAB_SIZE)
        self._flag = flag

    @property
    def info(self) -> BackendInfo:
        deadline = time.monotonic() + LOADING_SECONDS
        while not self._flag.exists():
            assert time.monotonic() < deadline, "nobody let it be used"
            time.sleep(0.01)
        return super().info


def failing_backend(length: int, **sizes: Any) -> ScriptedBackend:
    """Improvises, but what follows upon so many tokens is not a number."""

    def script(history: tuple[int, ...]) -> NDArray[np.float32]:
        row = SCRIPT(history)
        return row * np.nan if len(history) == length else row

    return scripted(script, **sizes)
