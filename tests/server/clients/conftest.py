"""Servers for the tests of clients, of a toy and of a real model, and each model alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.clients import HEAVY, IS_COMPLETE
from support.openai_callers import CALLERS, Caller
from support.real_server import real_server
from support.served import Served, served, toy_alone

from foretell import LLM

collect_ignore = [] if IS_COMPLETE else [*HEAVY]

os.environ |= {"DO_NOT_TRACK": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # ask nobody else


@pytest.fixture(scope="session")
def _shared_toy() -> Iterator[Served]:
    with served() as server:
        yield server


@pytest.fixture
def toy(_shared_toy: Served) -> Iterator[Served]:
    """A server that improvises; after each test nothing may be left of any request."""
    yield _shared_toy
    _shared_toy.check_idle()


@pytest.fixture(scope="session")
def alone() -> Iterator[LLM]:
    """The same model without a server."""
    with toy_alone() as llm:
        yield llm


@pytest.fixture(scope="session", params=CALLERS)
def _shared_openai(request: pytest.FixtureRequest, _shared_toy: Served) -> Iterator[Caller]:
    with CALLERS[request.param](_shared_toy.url) as caller:
        yield caller


@pytest.fixture
def openai(_shared_openai: Caller, toy: Served) -> Caller:
    """openai-python, asking the toy."""
    return _shared_openai


@pytest.fixture(scope="session")
def _shared_lenient(_shared_openai: Caller) -> Iterator[Caller]:
    with _shared_openai.lenient() as caller:
        yield caller


@pytest.fixture
def lenient(_shared_lenient: Caller, toy: Served) -> Caller:
    """The same, without validation of what it is answered."""
    return _shared_lenient


@pytest.fixture(scope="session")
def real_url() -> Iterator[str]:
    """Where `foretell serve` serves the default model, up to `/v1`."""
    with real_server() as url:
        yield url


@pytest.fixture(scope="session")
def real(default_model_path: Path) -> Iterator[LLM]:
    """The default model without a server."""
    with LLM(default_model_path, threads=1) as llm:
        yield llm
