"""A toy server for the tests of clients, and the model alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.openai_callers import CALLERS, Caller
from support.served import Served, served, toy_alone

from foretell import LLM


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


@pytest.fixture(params=CALLERS)
def openai(request: pytest.FixtureRequest, toy: Served) -> Caller:
    """openai-python, asking the toy."""
    return CALLERS[request.param](toy.url)
