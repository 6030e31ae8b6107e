"""The playground in a browser, as far as a whole run has time for it: `make test-web` has the rest.

Each test is skipped, with what is missing, where there is no node, no browser, or none of their
packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "tests" / "web"
PACKAGES = ROOT / "build" / "web" / "node_modules"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OLDEST_NODE = 20


@pytest.fixture(scope="module")
def node() -> str:
    """The program."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("needs node, which is not installed")
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    if int(told.stdout.lstrip("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"needs node {OLDEST_NODE} or later, and this is {told.stdout.strip()}")
    return found


@pytest.fixture(scope="module")
def packages() -> Path:
    """What node's packages are in."""
    if not (PACKAGES / "playwright-core").is_dir():
        pytest.skip("needs node's packages: make test-web installs them")
    return PACKAGES


@pytest.fixture(scope="module")
def browser() -> str:
    """The browser's program."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("needs a browser: install chromium, or set $CHROMIUM")
    return found


def run_tests(node: str, kind: str, **environment: str) -> None:
    """Run the tests in a folder of tests/web; they must succeed."""
    files = sorted((SPECS / kind).glob("*.mjs"))
    assert files
    libraries = (SPECS / "support" / "libraries.mjs").as_uri()
    options = ["--test", "--test-reporter=spec", "--test-concurrency=2"]
    done = subprocess.run(
        [node, "--import", libraries, *options, *map(str, files)],
        env={**os.environ, "PYTHON_OF_TESTS": sys.executable, **environment},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-20_000:]}\n{done.stderr[-5_000:]}"


def test_its_functions(node):
    run_tests(node, "unit")


def test_its_types(node, packages):
    program = packages / "typescript" / "bin" / "tsc"
    command = [node, str(program), "-p", str(SPECS / "tsconfig.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_page(node, packages, browser):
    run_tests(node, "browser", CHROMIUM=browser, QUICK="1")
