"""Fixtures that every test may use: real model files, and a hub of made-up ones."""

from __future__ import annotations

import os
import random
import secrets
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support import markers
from support.fake_hub import FakeHub
from support.loopback_hub import LoopbackHub, loopback_hub_in

from foretell import hub

os.environ["HF_HUB_OFFLINE"] = "1"  # no test reaches a hub other than `loopback_hub`

settings.register_profile(  # how long an example takes says how busy the machine is
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    """Without the tests of torch there is no torch, so that a marker that lacks shows anywhere."""
    if markers.leaves_out(config, "torch"):
        sys.modules.update(dict.fromkeys(markers.LIBRARIES))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without the tests of torch, files that import it are not imported."""
    if collection_path.suffix != ".py" or not markers.leaves_out(config, "torch"):
        return None
    return markers.imports_torch(collection_path) or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests, before those that were not asked for are left out."""
    for item in items:
        markers.mark(item)


@pytest.fixture(scope="session", autouse=True)
def _no_model(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without the tests of real models there is none, and none can be fetched."""
    if markers.leaves_out(pytestconfig, "model"):
        os.environ["FORETELL_HOME"] = str(tmp_path_factory.mktemp("no-models"))
        os.environ["PIP_NO_INDEX"] = "1"


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Let Ctrl-C reach the programs that tests start, also where the tests run in the background.

    A shell without job control starts those with SIGINT ignored, which children inherit.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _drawn_seeds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeds that nobody gives are drawn anew in each test, but the same in each run of it.

    FORETELL_TEST_SEED=1 has others drawn: a test that fails with some rests on luck.
    """
    drawn = random.Random(f"{request.node.nodeid} {os.environ.get('FORETELL_TEST_SEED', '0')}")
    monkeypatch.setattr(secrets, "randbits", drawn.getrandbits)


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
