"""docs/ray.md: its program runs, and its options are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.documents import printed_by, snippets

from foretell.cli.commands import batch, serve
from foretell.scale.ray.cluster import Cluster

PAGE = Path(__file__).parents[3] / "docs" / "ray.md"


@pytest.mark.usefixtures("default_model_path")
def test_the_program_runs(cluster: Cluster) -> None:
    (program,) = snippets(PAGE, "python")
    names: dict[str, Any] = {}
    printed = printed_by(program, names)
    assert "'generated_text': '" in printed
    assert names["ds"].count() == 8


def test_the_options_exist() -> None:
    known = {option for one in (batch, serve) for p in one.command.params for option in p.opts}
    assert set(re.findall(r"--[a-z][a-z-]+", PAGE.read_text(encoding="utf-8"))) <= known
