"""Rows beside the settings of their job: what a row states wins, in whatever words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.batches import MODEL, bytes_of, make

from foretell.errors import ConfigError
from foretell.scale.start import open_job


def answered(tmp_path: Path, name: str, row: Any, settings: dict[str, Any]) -> dict[str, Any]:
    source = tmp_path / f"{name}.jsonl"
    source.write_text(json.dumps({"prompt": "the cat", **row}) + "\n")
    job = open_job(source, tmp_path / name, MODEL, settings=settings)
    make(job)
    found: dict[str, Any] = json.loads(bytes_of(job)[0])
    return found


@pytest.mark.parametrize(
    ("row", "settings", "left"),
    [
        ({"max_tokens": 3}, {"max_new_tokens": 7}, {}),
        ({"max_completion_tokens": 3}, {"max_new_tokens": 7}, {}),
        ({"n": 2}, {"num_return_sequences": 3, "temperature": 1.5}, {"temperature": 1.5}),
        ({"do_sample": False}, {"temperature": 0.8, "top_p": 0.9}, {}),
        ({"temperature": 0.7}, {"do_sample": False}, {}),
        ({"do_sample": True}, {"temperature": 0}, {}),
        ({"choices": ["a", "b"]}, {"regex": "c+", "allow_thinking": False}, {}),
        (
            {"guided_regex": "a+", "max_tokens": 3},
            {"json": True, "json_whitespace": "compact", "max_new_tokens": 9, "top_k": 3},
            {"top_k": 3},
        ),
    ],
)
def test_what_a_row_states_wins(
    row: dict[str, Any], settings: dict[str, Any], left: dict[str, Any], tmp_path: Path
) -> None:
    found = answered(tmp_path, "beside", row, settings)
    alone = answered(tmp_path, "alone", {**row, **left}, {})
    assert found["error"] is None
    assert found["response"]["body"]["choices"] == alone["response"]["body"]["choices"]
    assert found["response"]["body"]["usage"] == alone["response"]["body"]["usage"]


def test_what_contradicts_is_told_with_whose_it_is(tmp_path: Path) -> None:
    error = answered(tmp_path, "a", {"temperature": 0}, {"num_return_sequences": 3})["error"]
    assert "num_return_sequences=3 contradicts greedy decoding" in error["message"]
    assert error["message"].endswith("(num_return_sequences=3 is the job's, the rest the row's)")


@pytest.mark.parametrize(
    ("row", "settings"),
    [
        ({"max_tokens": 3, "min_tokens": 5}, {"max_new_tokens": 9}),
        ({"penalty_alpha": 0.6, "top_k": 4}, {"temperature": 0.7}),  # which the toy cannot
        ({"temperature": -1}, {"do_sample": False}),
    ],
)
def test_a_rows_own_fault_is_told_as_such(
    row: dict[str, Any], settings: dict[str, Any], tmp_path: Path
) -> None:
    alone = answered(tmp_path, "alone", row, {})["error"]
    assert answered(tmp_path, "beside", row, settings)["error"] == alone


def test_a_seed_of_null_is_none_that_a_row_states(tmp_path: Path) -> None:
    found = [
        answered(tmp_path, name, {"temperature": 1.5, **row}, {"top_k": 40})
        for name, row in (("null", {"seed": None}), ("absent", {}))
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["foretell", "foretell.gguf", "some/folder/foretell.gguf", None])
def test_the_model_goes_by_its_name_or_its_files(name: str | None, tmp_path: Path) -> None:
    found = answered(tmp_path, "named", {"model": name, "max_tokens": 3}, {})
    assert found == answered(tmp_path, "unnamed", {"max_tokens": 3}, {})


def test_another_model_is_refused_with_what_to_do(tmp_path: Path) -> None:
    error = answered(tmp_path, "a", {"model": "gpt-4o-mini"}, {"temperature": 0})["error"]
    assert error["message"] == (
        "model='gpt-4o-mini' is not the job's, which is foretell: leave model out, or let the job "
        "have the name too (--served-model-name, model_names)"
    )
    assert (error["param"], error["code"]) == ("model", "model_not_found")


def test_a_job_may_have_other_names(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    rows = [{"prompt": "the", "max_tokens": 2, "model": name} for name in ("b", "foretell", "c")]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    job = open_job(source, tmp_path / "out", MODEL, model_names=["a", "b"])
    make(job)
    told = [json.loads(line) for line in bytes_of(job)[0].splitlines()]
    assert [one["response"]["body"].get("model") for one in told] == ["a", "a", None]
    with pytest.raises(ConfigError, match="there model_names is"):
        open_job(source, tmp_path / "out", MODEL)
