from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from dropin_models import tiny_gpt2, tiny_llama


@pytest.fixture(scope="session")
def gpt2() -> Any:
    return tiny_gpt2()


@pytest.fixture(scope="session")
def llama() -> Any:
    return tiny_llama()


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny products are faster so, and torch's seed is fixed."""
    number = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(number)
