"""What a message says of installing an extra works, wherever foretell came from."""

from __future__ import annotations

import importlib.metadata
import shlex
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from foretell.utils import extras

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("extra", ["plot", "transformers"])
def test_the_packages_themselves_are_named(extra: str) -> None:
    command = shlex.split(extras.how_to_install(extra))
    assert command[:2] == ["pip", "install"]
    assert sorted(command[2:]) == sorted(PROJECT["optional-dependencies"][extra])


def test_sources_that_are_not_installed_name_their_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", fail)
    assert extras.how_to_install("plot") == "pip install '.[plot]'"
