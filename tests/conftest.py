"""Fixtures that every test may use: real model files, and a hub of made-up ones."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_hub import FakeHub
from support.loopback_hub import LoopbackHub, loopback_hub_in

from foretell import hub

os.environ["HF_HUB_OFFLINE"] = "1"  # no test reaches a hub other than `loopback_hub`


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Let Ctrl-C reach the programs that tests start, also where the tests run in the background.

    A shell without job control starts those with SIGINT ignored, which children inherit.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def default_model_path() -> Path:
    """The default model's GGUF file, fetched if it is not cached yet."""
    return hub.resolve(hub.DEFAULT_MODEL)


@pytest.fixture(scope="session")
def gemma_model_path() -> Path:
    """Gemma 3 270M's GGUF file; the test is skipped where it has not been pulled."""
    if not hub.is_cached(hub.find("gemma-3-270m")):
        pytest.skip("needs `foretell models pull gemma-3-270m`")
    return hub.path("gemma-3-270m")


@pytest.fixture
def fake_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """Made-up models, an empty cache, and a pip that needs no network."""
    made_up = FakeHub(tmp_path, monkeypatch)
    yield made_up
    made_up.close()


@pytest.fixture
def loopback_hub(
    fake_hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LoopbackHub]:
    """A Hugging Face hub on loopback, the only one in reach, and an empty cache of its own."""
    with loopback_hub_in(tmp_path, monkeypatch) as served:
        yield served
