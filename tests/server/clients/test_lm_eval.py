"""lm-eval's local-completions: its numbers are those of `LLM.score`, to the last float."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from support.real_server import NAME

from foretell import LLM

QUESTIONS: list[dict[str, Any]] = [
    {"question": "The capital of France is", "choices": ["Paris", "Rome", "Oslo"], "answer": 0},
    {"question": "Two and two are", "choices": ["five", "four"], "answer": 1},
    {"question": "Snow is", "choices": ["black as coal", "white", "a kind of bird"], "answer": 1},
    {"question": "Das Wetter ist heute sehr", "choices": ["schön", "日本"], "answer": 0},
]
TEXTS = ["The cat sat on the mat, and slept.", "Ein Hund läuft über die Straße. 안녕하세요!"]
TASKS = {
    "choice": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "metric_list": [{"metric": "acc"}],
    },
    "rolling": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{text}}",
        "metric_list": [{"metric": "bits_per_byte"}],
    },
    "writing": {
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{choices[answer]}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 12},
        "metric_list": [{"metric": "exact_match"}],
    },
}


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> TaskManager:
    """The tasks, whose documents lie on disk."""
    folder = tmp_path_factory.mktemp("tasks")
    documents = {"questions": QUESTIONS, "texts": [{"text": text} for text in TEXTS]}
    for name, rows in documents.items():
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    for name, task in TASKS.items():
        rows = "texts" if name == "rolling" else "questions"
        files = {"test": str(folder / f"{rows}.jsonl")}
        whole = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": files},
            "test_split": "test",
            **task,
        }
        (folder / f"{name}.yaml").write_text(json.dumps(whole), encoding="utf-8")
    return TaskManager(include_path=str(folder), include_defaults=False)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)


def evaluated(tasks: TaskManager, url: str, task: str, **options: Any) -> list[Any]:
    """What the model answered to each request of a task."""
    arguments = {
        "model": NAME,
        "base_url": f"{url}/completions",
        "tokenizer_backend": "remote",
        "max_retries": 1,
        **options,
    }
    found = simple_evaluate(
        model="local-completions",
        model_args=arguments,
        tasks=[task],
        task_manager=tasks,
        bootstrap_iters=0,
        batch_size=arguments.pop("batch_size", 1),
    )
    return [sample["resps"] for sample in found["samples"][task]]


def scored(real: LLM, context: list[int], continuation: list[int]) -> tuple[float, bool]:
    """The log-probability of a continuation, as lm-eval sums it, and whether it is the best one."""
    tokens = real.score([*context, *continuation], top=1).tokens[len(context) :]
    logprobs = [token.logprob for token in tokens]
    is_greedy = all(token.rank == 1 for token in tokens)
    return sum(one for one in logprobs if one is not None), is_greedy


@pytest.mark.parametrize(
    "options", [{}, {"batch_size": 4}, {"num_concurrent": 3}], ids=["single", "batch", "async"]
)
def test_choices(real: LLM, real_url: str, tasks: TaskManager, options: dict[str, Any]):
    answers = evaluated(tasks, real_url, "choice", **options)
    for question, answer in zip(QUESTIONS, answers, strict=True):
        context = real.tokenizer.encode(question["question"], add_special_tokens=False)
        for choice, ((told, is_greedy),) in zip(question["choices"], answer, strict=True):
            whole = f"{question['question']} {choice}"
            ids = real.tokenizer.encode(whole, add_special_tokens=False)
            assert ids[: len(context)] == context
            assert (told, is_greedy) == scored(real, context, ids[len(context) :])


def test_rolling(real: LLM, real_url: str, tasks: TaskManager):
    answers = evaluated(tasks, real_url, "rolling")
    end = real.tokenizer.special_tokens["bos_token"]
    prefix = real.tokenizer.encode(end, add_special_tokens=False, parse_special=True)
    assert len(prefix) == 1
    for text, answer in zip(TEXTS, answers, strict=True):
        ids = real.tokenizer.encode(text, add_special_tokens=False)
        expected, _ = scored(real, prefix, ids)
        assert math.isfinite(expected)
        assert answer == [[expected]]


def test_writing(real: LLM, real_url: str, tasks: TaskManager):
    answers = evaluated(tasks, real_url, "writing")
    for question, answer in zip(QUESTIONS, answers, strict=True):
        ids = real.tokenizer.encode(question["question"], add_special_tokens=False)
        expected = real.generate(ids, temperature=0.0, max_new_tokens=12, stop=["\n"])
        assert answer == [[expected.text]]
