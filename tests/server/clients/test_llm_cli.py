"""The `llm` command with models of this server: each answer is the one of the model alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.real_server import NAME

from foretell import LLM

QUESTION = "Say hi."
ALONE: dict[str, Any] = {"temperature": 0.0, "max_new_tokens": 60}  # it says less
OPTIONS = ["-o", "temperature", "0", "-o", "max_tokens", "60"]
KINDS: dict[str, dict[str, Any]] = {
    "chat": {},
    "whole": {"can_stream": False},
    "responses": {"responses": True},
    "completion": {"completion": True},
}
Run = Callable[..., str]


@pytest.fixture
def run(real_url: str, tmp_path: Path) -> Run:
    """Runs the command, and returns what it has written."""
    models = [
        {"model_id": kind, "model_name": NAME, "api_base": real_url, **fields}
        for kind, fields in KINDS.items()
    ]
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps(models))
    environment = {**os.environ, "LLM_USER_PATH": str(tmp_path), "OPENAI_API_KEY": "none"}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "llm", *arguments]
        found = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=120, check=False
        )
        assert found.returncode == 0, found.stderr
        return found.stdout.removesuffix("\n")

    return run


@pytest.mark.parametrize("kind", ["chat", "whole", "responses"])
def test_a_chat(run: Run, real: LLM, kind: str):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": QUESTION},
    ]
    expected = real.chat(messages, **ALONE)
    assert expected.finish_reason == "stop"
    assert run("-m", kind, *OPTIONS, "-s", "Be brief.", QUESTION) == expected.text
    (logged,) = json.loads(run("logs", "--json"))
    assert logged["response"] == expected.text
    assert logged["input_tokens"] == expected.usage.prompt_tokens
    assert logged["output_tokens"] == expected.usage.completion_tokens


def test_a_chat_goes_on(run: Run, real: LLM):
    first = run("-m", "chat", *OPTIONS, QUESTION)
    again = run("-c", *OPTIONS, "And three more.")
    turns = [("user", QUESTION), ("assistant", first), ("user", "And three more.")]
    messages = [{"role": role, "content": text} for role, text in turns]
    assert again == real.chat(messages, **ALONE).text


def test_a_completion(run: Run, real: LLM):
    expected = real.generate("The cat sat on", **ALONE)
    assert run("-m", "completion", *OPTIONS, "The cat sat on") == expected.text
