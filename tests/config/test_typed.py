"""Settings as keyword arguments: type checkers and editors know what the table knows."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest
from support import typed_settings

from foretell import LLM, AsyncLLM, Conversation, GenerationConfig, GenerationSettings
from foretell.config.settings import SETTINGS

ROOT = Path(__file__).parents[2]

FINE = """
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from foretell import (
    LLM, AsyncLLM, Conversation, GenerationConfig, GenerationOutput, GenerationSettings
)
from foretell.config.typed import SampleSettings

llm = LLM()
one: GenerationOutput = llm.generate("a", temperature=1, top_k=5, stop=["x"], stop_token_ids=[1])
many: list[GenerationOutput] = llm.generate("a", num_return_sequences=3, temperature=0.8)
more: list[GenerationOutput] = llm.generate(["a", "b"], logit_bias={5: 1.0}, temperature=None)
biases: dict[int, float] = {1: 2.0}
llm.generate("a", logit_bias=biases, logprobs=1, logprobs_stage=("raw", "final"))
llm.generate("a", logit_bias={"the": -1}, sequence_bias={(1, 2): 1}, logprobs_stage=["raw"])
llm.generate("a", penalty_scope="all", repetition_detection=True, early_stopping="never")
llm.generate("a", penalty_scope=64, logits_processor=lambda row: None, stop="x")
for chunk in llm.stream("a", max_new_tokens=5):
    chunk.text
wishes: dict[str, Any] = {"top_k": 5}
llm.stream("a", **wishes)
llm.next("a", top_k=5).tokens
llm.beams("a", num_beams=3).hypotheses
llm.chat([], preset="chat").text
answers: list[GenerationOutput] = llm.chat([], num_return_sequences=2, temperature=0.8)
pair: tuple[str, ...] = ("a", "b")
texts: Sequence[str] = pair
ids: NDArray[np.int64] = np.array([1, 2])
single: GenerationOutput = llm.generate(ids, top_k=5)
more = llm.generate(pair) + llm.generate(texts)
more = llm.generate([ids, ids]) + llm.generate(("a", [5]))
llm.compare(ids, seeds=1)
more = llm.generate([[1, 2], [3]]) + llm.generate(((1, 2), (3,)), num_return_sequences=2)
single = llm.generate((1, 2), num_return_sequences=1)
single = llm.generate("a", num_return_sequences=None)
single = llm.chat([], num_return_sequences=1)
more = llm.generate(["a"], num_return_sequences=1)
number = int("3")
more = llm.generate(["a"], num_return_sequences=number)
settings: GenerationSettings = {"top_k": 5, "temperature": 0.8}
either: GenerationOutput | list[GenerationOutput] = llm.generate("a", **settings)
either = llm.chat([], **settings)
either = llm.generate("a", num_return_sequences=number)
either = llm.generate([1, 2], num_return_sequences=number)
either = llm.chat([], num_return_sequences=number)
plain: SampleSettings = {"top_k": 5, "temperature": 0.8}
single = llm.generate("a", **plain)
more = llm.generate(["a"], **plain)
single = llm.chat([], **plain)
single = llm.generate("a", **wishes)
Conversation(llm).say("hello", max_new_tokens=3)
GenerationConfig(top_k=5).override(top_k=None, seed=3)

def ask(question: str, **settings: Unpack[GenerationSettings]) -> str:
    return llm.explain(question, **settings).output.text

async def main() -> None:
    async with AsyncLLM("a", threads=2, max_waiting=8) as busy:
        output: GenerationOutput = await busy.generate("a", temperature=1)
        answer: GenerationOutput = await busy.chat([])
        drawn: list[GenerationOutput] = await busy.chat([], num_return_sequences=2)
        drawn = await busy.generate(texts) + await busy.generate([ids], num_return_sequences=1)
        output = await busy.generate("a", num_return_sequences=1, priority=2)
        answer = await busy.chat([], num_return_sequences=1)
        both: GenerationOutput | list[GenerationOutput] = await busy.generate("a", **settings)
        async for chunk in busy.stream("a", top_p=0.9):
            chunk.text
"""

WRONG = """
from foretell import LLM, AsyncLLM, Conversation, GenerationConfig
llm, many = LLM(), AsyncLLM()
llm.generate("a", temprature=0.8)
llm.generate("a", temperature="hot")
llm.generate(["a"], top_k=1.5)
llm.generate("a", penalty_scope="everything")
llm.stream("a", max_tokens=5)
llm.next("a", seed="x")
llm.explain("a", stop=5)
llm.chat([], top_k=None, min_p="0.1")
Conversation(llm).say("a", top_k="5")
GenerationConfig().override(topk=5)
LLM(n_ctx=5)
AsyncLLM(n_ctx=5)
AsyncLLM(threads="two")
many.generate("a", temprature=1)
llm.generate(5)
llm.generate([1.5])
llm.generate("a", num_return_sequences=1)[0]
llm.generate(["a"], num_return_sequences=1).text
llm.generate("a", num_return_sequences=int("1"))[0]
llm.chat([], num_return_sequences=int("1"))[0]
many.stream("a", stop_token_ids="x")
"""


def mypy(program: str, folder: Path) -> list[int]:
    """The lines of a program that mypy finds fault with."""
    (folder / "program.py").write_text(program, encoding="utf-8")
    command = ["-m", "mypy", "--strict", "--config-file=", "--no-pretty", "program.py"]
    cache = str(ROOT / ".mypy_cache" / "users")
    done = subprocess.run(
        [sys.executable, *command, "--cache-dir", cache],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return sorted({int(x) for x in re.findall(r"^program\.py:(\d+): error", done.stdout, re.M)})


def test_a_program_with_the_right_names_and_types_passes(tmp_path: Path) -> None:
    pytest.importorskip("mypy")  # of the extra `dev`
    assert mypy(FINE, tmp_path) == []


def test_wrong_names_and_types_are_found_before_a_program_runs(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    assert mypy(WRONG, tmp_path) == list(range(4, WRONG.count("\n") + 1))


def test_the_file_is_the_table_s() -> None:
    pytest.importorskip("ruff")
    assert typed_settings.PATH.read_text(encoding="utf-8") == typed_settings.source(), "make types"


def test_it_has_every_setting() -> None:
    assert list(get_type_hints(GenerationSettings)) == [
        *(name for name in SETTINGS if name != "num_return_sequences"),
        "num_return_sequences",
    ]


@pytest.mark.parametrize(
    "method",
    [
        *(LLM.generate, LLM.stream, LLM.next, LLM.chat, LLM.stream_chat, LLM.explain, LLM.beams),
        *(LLM.compare, AsyncLLM.generate, AsyncLLM.stream, AsyncLLM.next, AsyncLLM.chat),
        *(AsyncLLM.stream_chat, AsyncLLM.explain, AsyncLLM.beams, AsyncLLM.compare),
        *(Conversation.say, GenerationConfig.override),
    ],
    ids=lambda method: method.__qualname__,
)
def test_signatures_stay_readable(method: object) -> None:
    told = str(inspect.signature(method))
    kind = "ChatSettings" if "chat" in getattr(method, "__name__", "") else "GenerationSettings"
    assert f"**settings: 'Unpack[{kind}]'" in told
    assert len(told) < 500
