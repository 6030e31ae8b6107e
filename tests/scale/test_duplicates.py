"""Ids that come twice, however many there are, and in whatever runs."""

from __future__ import annotations

import random

import pytest

from foretell.scale import duplicates
from foretell.scale.duplicates import DuplicateFinder, id_hash


@pytest.mark.parametrize("run", [1, 3, 64, 5000])
def test_they_are_found_among_runs_of_any_size(run: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "RUN", run)
    ids = [f"row {number}" for number in range(200)] + ["row 7", "row 199", "row 7"]
    random.Random(1).shuffle(ids)
    with DuplicateFinder() as found:
        for custom_id in ids:
            found.add(custom_id)
        assert found.found() == {id_hash("row 7"), id_hash("row 199")}


def test_hashes_at_the_ends_are_compared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "RUN", 2)
    monkeypatch.setattr(duplicates, "id_hash", int)
    numbers = [0, 2**64 - 1, 5, 2**63, 0, 2**54, 2**64 - 1, 2**54 - 1]
    with DuplicateFinder() as found:
        for number in numbers:
            found.add(str(number))
        assert found.found() == {0, 2**64 - 1}


def test_none() -> None:
    with DuplicateFinder() as found:
        assert found.found() == set()
