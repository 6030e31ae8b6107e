"""What tells a job's model from others: its bytes, and how it is opened where that counts."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from foretell.scale.identity import identity_of_name


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "my.gguf"
    path.write_bytes(b"GGUF")
    return str(path)


def test_it_has_the_models_name_and_hash(model: str) -> None:
    sha256 = hashlib.sha256(b"GGUF").hexdigest()
    assert identity_of_name(model, {}) == {"name": "my", "sha256": sha256}


@pytest.mark.parametrize("option", [{"kv_dtype": "q8"}, {"quantize": "q4"}, {"context_length": 64}])
def test_what_changes_numbers_tells_it(option: dict[str, Any], model: str) -> None:
    told = {name: str(value) for name, value in option.items()}
    assert identity_of_name(model, option) == identity_of_name(model, {}) | told


@pytest.mark.parametrize("option", [{"threads": 2}, {"num_blocks": 64}, {"speculation": None}])
def test_what_changes_none_does_not(option: dict[str, Any], model: str) -> None:
    assert identity_of_name(model, option) == identity_of_name(model, {})


def test_adapters_are_told_by_their_bytes_and_weight(model: str, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter.gguf"
    found = []
    for data, weight in ((b"a", 1.0), (b"b", 1.0), (b"b", 0.5)):
        adapter.write_bytes(data)
        found.append(identity_of_name(model, {"adapters": [(str(adapter), weight)]}))
    digest = hashlib.sha256(b"b").hexdigest()
    assert found[2]["adapter adapter.gguf"] == f"{digest}, 0.5"
    assert found[0] != found[1] != found[2]
