"""What the page on the server shows of node and `llm`, run as it is but for the address.

tests/docs/test_server_page.py runs the rest.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support.node import FOLDER, run_script

PAGE = Path(__file__).parents[3] / "docs" / "server.md"
ADDRESS = "http://127.0.0.1:8000/v1"


def blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for block in found if ADDRESS in block]


SCRIPTS = blocks("js")


def test_there_are_some():
    assert len(SCRIPTS) == 2


@pytest.mark.parametrize("index", range(len(SCRIPTS)))
def test_javascript(index: int, real_url: str):
    script = FOLDER / f"snippet_{index}.mjs"
    script.write_text(SCRIPTS[index].replace(ADDRESS, real_url), encoding="utf-8")
    assert run_script(script, package="ai").strip()


def test_the_llm_command(real_url: str, tmp_path: Path):
    (models,) = blocks("yaml")
    (tmp_path / "extra-openai-models.yaml").write_text(models.replace(ADDRESS, real_url))
    (line,) = re.findall(r"`(llm -m [^`]*)`", PAGE.read_text(encoding="utf-8"))
    environment = {**os.environ, "LLM_USER_PATH": str(tmp_path), "OPENAI_API_KEY": "none"}
    command = [sys.executable, "-m", *shlex.split(line), "-o", "max_tokens", "40"]
    found = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert found.stdout.strip(), found.stderr
