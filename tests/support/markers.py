"""Which tests are marked `model` and `torch`, found out from fixtures and imports.

`model`: needs the weights of a real model. `torch`: needs torch or transformers, as an oracle or as
a maker of tiny models. `make test-fast` runs the rest, with neither installed or fetched.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LIBRARIES = ("torch", "transformers")
FIXTURES = {
    "model": {"default_model_path", "gemma_model_path"},
    "torch": {"tiny_model_path", "tiny_path", "reference_model", "_one_thread"},
}
"""By marker, the fixtures whose tests get it, however they ask for them."""


def mark(item: pytest.Item) -> None:
    """Add the markers that the item's fixtures and its module's imports call for."""
    for name, fixtures in FIXTURES.items():
        if fixtures.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(name)
    if imports_torch(item.path):
        item.add_marker("torch")


def leaves_out(config: pytest.Config, marker: str) -> bool:
    """Whether this run was asked to leave out the tests with a marker."""
    return re.search(rf"\bnot {marker}\b", config.option.markexpr) is not None


@cache
def imports_torch(path: Path) -> bool:
    """Whether importing a file of the tests imports torch or transformers."""
    for name in _imports(path):
        if name.split(".")[0] in LIBRARIES or name == "safetensors.torch":
            return True
        helper = TESTS / f"{name.replace('.', '/')}.py"
        if name.startswith("support.") and helper.exists() and imports_torch(helper):
            return True
    return False


def _imports(path: Path) -> Iterator[str]:
    """The modules that a file imports at its top level."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
