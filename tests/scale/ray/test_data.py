"""Pipelines of Ray Data: a row's text depends on nothing but the row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.toy_async import run as run_async

from foretell import AsyncLLM
from foretell.errors import ConfigError
from foretell.scale import Generator
from foretell.scale.job import run
from foretell.scale.ray.cluster import Cluster
from foretell.scale.start import open_job

WISHES: dict[str, Any] = {"temperature": 4.0, "max_new_tokens": 8}
ROWS = [{"name": f"n{number}", "prompt": f"the {number}"} for number in range(24)]


def texts(cluster: Cluster, toy: Path, rows: Any, size: int, workers: int, **more: Any) -> Any:
    data = pytest.importorskip("ray.data")
    data.DataContext.get_current().enable_progress_bars = False
    found = data.from_items(rows).map_batches(
        Generator,
        fn_constructor_kwargs={"model": str(toy), **WISHES, **more},
        compute=data.ActorPoolStrategy(size=workers),
        num_cpus=1,
        batch_size=size,
    )
    return {row["name"]: row for row in found.take_all()}


def test_sizes_and_workers_change_nothing(cluster: Cluster, toy_path: Path) -> None:
    first = texts(cluster, toy_path, ROWS, 24, 1, id="name", seed=3)
    second = texts(cluster, toy_path, [*reversed(ROWS)], 5, 2, id="name", seed=3)
    assert first == second
    assert len({row["generated_text"] for row in first.values()}) > 12
    row = first["n3"]
    assert (row["prompt"], row["finish_reason"], row["error"]) == ("the 3", "length", "")
    assert (row["prompt_tokens"], row["completion_tokens"]) == (3, 8)


@pytest.fixture
def generator(toy_path: Path) -> Generator:
    return Generator(str(toy_path), id="name", seed=3, **WISHES)


def test_texts_are_those_of_a_job(generator: Generator, toy_path: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    lines = [{"custom_id": row["name"], "prompt": row["prompt"]} for row in ROWS]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    job = open_job(source, tmp_path / "out", {"name": "toy"}, settings=WISHES, seed=3)

    async def main() -> None:
        async with AsyncLLM(str(toy_path)) as llm:
            await run(job, llm)

    run_async(main)
    answers = map(json.loads, job.parts.path(0).read_text().splitlines())
    expected = [answer["response"]["body"]["choices"][0]["text"] for answer in answers]
    batch = {name: [row[name] for row in ROWS] for name in ("name", "prompt")}
    assert generator(batch)["generated_text"] == expected


def test_chats_and_rows_that_are_wrong(toy_path: Path) -> None:
    generator = Generator(str(toy_path), prompt="asked", **WISHES)
    hello = [{"role": "user", "content": "hello"}]
    found = generator({"asked": [hello, "the cat", "", None, hello, [1, 2, 3]]})
    errors = found["error"]
    assert errors[0] == errors[1] == errors[4] == errors[5] == ""
    assert errors[3]
    assert found["generated_text"][0] == found["generated_text"][4] != ""
    assert found["finish_reason"][3] == "error"


def test_what_is_no_batch_is_told(generator: Generator) -> None:
    with pytest.raises(ConfigError, match="no column 'prompt': must be one of 'name', 'text'"):
        generator({"name": ["a"], "text": ["b"]})
    with pytest.raises(ConfigError, match="batch is a list: must be a mapping of columns"):
        generator(["the cat"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"temperature": -1}, "temperature=-1"),
        ({"threads": 2}, "threads is an argument of LLM: give options="),
        ({"num_return_sequences": 2}, "must be 1: a row has one text"),
        ({"sha256": "0"}, "must be 0, as where the work was begun"),
    ],
)
def test_a_setting_that_is_none_is_refused(
    wrong: dict[str, Any], reason: str, toy_path: Path
) -> None:
    with pytest.raises(ConfigError, match=reason):
        Generator(str(toy_path), **wrong)
