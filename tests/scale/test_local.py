"""`LLM.batch`: a job over a model that is open, and others at the same model meanwhile."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from support.batches import begin, bytes_of, make, write_input
from support.toy_async import run as run_async
from support.toy_async import scripted
from support.toy_chat import chatting_tokenizer

from foretell import LLM
from foretell.errors import ConfigError, RequestError
from foretell.scale.local import run_here


def toy(**options: Any) -> LLM:
    return LLM(scripted(**options), tokenizer=chatting_tokenizer())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_input(tmp_path / "in.jsonl")


def answers(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("part-*")))


def test_it_makes_what_the_command_makes(source: Path, tmp_path: Path) -> None:
    job = begin(tmp_path, "command")
    make(job)
    with toy() as llm:
        summary = llm.batch(source, tmp_path / "out", part_rows=8)
        assert answers(tmp_path / "out") == b"".join(bytes_of(job))
        assert (summary.rows, summary.answered, summary.refused) == (41, 41, 7)
        assert (summary.parts, summary.is_complete) == (6, True)
        assert summary.completion_tokens > 0
        assert json.loads(json.dumps(summary.to_dict()))["sha256"] == summary.sha256
        assert llm.generate("the", max_new_tokens=2).token_ids  # it is open still


def test_the_same_call_goes_on_and_another_is_refused(source: Path, tmp_path: Path) -> None:
    with toy() as llm:
        half = llm.batch(source, tmp_path / "out", part_rows=8, shard=(0, 2), seed=3)
        assert (half.parts_done, half.sha256) == (3, None)
        whole = llm.batch(source, tmp_path / "out", part_rows=8, seed=3)
        assert whole.is_complete
        with pytest.raises(ConfigError, match="there seed is 3, here 0"):
            llm.batch(source, tmp_path / "out")


def test_rows_may_be_given_as_they_are(tmp_path: Path) -> None:
    rows = ["the cat", {"custom_id": "b", "messages": [{"role": "user", "content": "hi"}]}]
    with toy() as llm:
        summary = llm.batch(iter(rows), str(tmp_path / "out"), max_new_tokens=3, temperature=0)
    told = [json.loads(line) for line in answers(tmp_path / "out").splitlines()]
    assert summary.answered == 2
    assert [one["custom_id"] for one in told] == ["row-1", "b"]
    assert [one["response"]["body"]["usage"]["completion_tokens"] for one in told] == [3, 3]


def test_others_use_the_model_meanwhile(source: Path, tmp_path: Path) -> None:
    wishes: dict[str, Any] = {"max_new_tokens": 8, "temperature": 1.5, "seed": 3}
    with toy() as llm:
        expected = llm.generate("the cat", **wishes).token_ids
        half_read = llm.stream("the cat", **wishes)
        begun = next(half_read)
        found: list[Any] = []
        summaries: list[Any] = []

        def ask() -> None:
            found.extend(llm.generate("the cat", **wishes).token_ids for _ in range(10))

        def drive(name: str) -> None:
            summaries.append(llm.batch(source, tmp_path / name, part_rows=8))

        threads = [threading.Thread(target=ask)]
        threads += [threading.Thread(target=drive, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [expected] * 10
        assert summaries[0] == summaries[1]
        rest = [chunk.token_ids for chunk in half_read]
        assert [*begun.token_ids, *(token for ids in rest for token in ids)] == expected
        stats = llm.stats()
        assert (stats.running, stats.waiting, stats.free_blocks) == (0, 0, stats.num_blocks)


def test_it_runs_where_an_event_loop_runs_already(source: Path, tmp_path: Path) -> None:
    async def main() -> None:
        with toy() as llm:
            assert llm.batch(source, tmp_path / "out").is_complete

    run_async(main)


def test_an_interruption_ends_it_and_leaves_whole_parts(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with toy() as llm:
        with monkeypatch.context() as patched:
            patched.setattr("foretell.scale.pace.Pace.add", interrupt)
            with pytest.raises(KeyboardInterrupt):
                llm.batch(source, tmp_path / "out", part_rows=8)
        assert list((tmp_path / "out").glob(".*.partial")) == []
        stats = llm.stats()
        assert (stats.running, stats.waiting) == (0, 0)
        assert llm.batch(source, tmp_path / "out", part_rows=8).is_complete


def test_what_is_raised_within_a_loop_ends_the_work() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(0)
            raise ZeroDivisionError
        finally:
            ended.append("work")

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            run_here(work())

    run_async(main)
    assert ended == ["work"]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"output_format": "csv"}, "output_format='csv' must be 'jsonl' or 'parquet'"),
        ({"shard": 3}, r"shard=3 must be two numbers, as in \(0, 8\)"),
        ({"shard": (2, 2)}, "shard=2/2 must be 0/2 to 1/2"),
        ({"part_rows": 0}, "part_rows=0 must be 1 to"),
        ({"temperature": -1}, "temperature=-1"),
        ({"seed": -1}, "seed=-1"),
        ({"no_such_setting": 1}, "no_such_setting"),
        ({"column": "x"}, "column='x' is for tables"),
    ],
)
def test_what_makes_no_sense_is_refused_before_all_work(
    wrong: Any, reason: str, source: Path, tmp_path: Path
) -> None:
    with toy() as llm, pytest.raises(ConfigError, match=reason):
        llm.batch(source, tmp_path / "out", **wrong)
    assert not list((tmp_path).glob("out/part-*"))


def test_a_closed_model_says_so(source: Path, tmp_path: Path) -> None:
    llm = toy()
    llm.close()
    with pytest.raises(RequestError, match="closed"):
        llm.batch(source, tmp_path / "out")


DUPLICATES = [{"custom_id": "a", "prompt": "x"}, "y", {"custom_id": "a", "prompt": "z"}]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "^rows has no rows: must have at least one"),
        (DUPLICATES, r"^rows: rows\[0\] and rows\[2\] both have custom_id 'a': ids must differ"),
        ({"prompt": "x"}, "^rows={'prompt': 'x'} must be a list of prompts"),
        (5, "^rows=5 must be a list"),
        (None, "^rows=None must be a list"),
        (b"x", "^rows=b'x' must be a list"),
        ("What is a cat?", "is no file: must be the path of one, or a list of prompts"),
    ],
)
def test_rows_that_are_none_are_told_in_their_words(rows: Any, reason: str, tmp_path: Path) -> None:
    with toy() as llm, pytest.raises(ConfigError, match=reason):
        llm.batch(rows, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_tables_duplicates_are_rows_of_it(tmp_path: Path) -> None:
    table = tmp_path / "in.csv"
    table.write_text("custom_id,prompt\na,x\na,y\n")
    with toy() as llm, pytest.raises(ConfigError, match=r"in\.csv: rows 1 and 2 both have"):
        llm.batch(table, tmp_path / "out")


def test_the_folder_is_a_path(tmp_path: Path) -> None:
    nowhere: Any = None
    with toy() as llm, pytest.raises(ConfigError, match="output=None must be the path of a folder"):
        llm.batch(["x"], nowhere)


def test_names_of_the_model_are_a_list(tmp_path: Path) -> None:
    with toy() as llm:
        with pytest.raises(ConfigError, match="model_names='gpt' must be a list of names"):
            llm.batch(["x"], tmp_path / "out", model_names="gpt")
        row = {"prompt": "x", "model": "gpt"}
        assert llm.batch([row], tmp_path / "out", model_names=["gpt"]).refused == 0
