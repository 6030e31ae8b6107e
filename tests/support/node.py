"""Runs scripts for node, with the packages that `make test-clients` has installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.clients import IS_COMPLETE

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "clients" / "node"
SCRIPTS = ROOT / "tests" / "server" / "clients"


def run_node(script: str, *arguments: str, package: str) -> Any:
    """The JSON that a script writes; the test is skipped where node or the package is missing."""
    return json.loads(run_script(SCRIPTS / script, str(FOLDER), *arguments, package=package))


def run_script(script: Path, *arguments: str, package: str) -> str:
    """What a script writes; the test is skipped where node or the package is missing."""
    node = shutil.which("node")
    is_there = node is not None and (FOLDER / "node_modules" / package).is_dir()
    if not is_there and not IS_COMPLETE:
        pytest.skip(f"needs node and its package {package}: make test-clients has them")
    assert node is not None, "node is not installed"
    command = [node, str(script), *arguments]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout
