"""Tiny models of transformers, one of them on foretell's own kernels too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from foretell import LLM


@pytest.fixture(scope="session")
def gpt2() -> Any:
    from support.hf_models import tiny_gpt2

    return tiny_gpt2()


@pytest.fixture(scope="session")
def llama() -> Any:
    from support.hf_models import tiny_llama

    return tiny_llama()


@pytest.fixture(scope="session")
def native(llama: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LLM]:
    """The same Llama on foretell's own kernels."""
    from support.hf_models import letters

    folder = tmp_path_factory.mktemp("llama")
    llama.save_pretrained(folder)
    letters().save_pretrained(folder)
    with LLM(folder, backend="native", activations="float32", kv_dtype="float32") as llm:
        yield llm


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny products are faster so, and torch's seed is fixed."""
    import torch

    number = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(number)
