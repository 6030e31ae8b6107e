"""lm-evaluation-harness on foretell: the answers of its own model "hf" on the same weights.

They run where the harness is installed: `make test-eval`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.hf_models import letters, tiny_llama

from foretell import ConfigError, RequestError
from foretell.cli import main
from foretell.evaluation import perplexity

QUESTIONS: list[dict[str, Any]] = [
    {"question": "abcd ef", "choices": ["gh", "ij", "ab"], "answer": 0},
    {"question": "abcd ef gh", "choices": ["ca", "di kl"], "answer": 1},
    {"question": "kl ", "choices": ["jjj", "abab abab", "c"], "answer": 1},
    {"question": "ab" * 40, "choices": ["cd", "efgh"], "answer": 1},  # longer than the context
    {"question": "", "choices": ["abc", "d"], "answer": 0},
]
TEXTS = ["abcd efgh", "kljihgfedcba" * 9, "a"]
TASKS: dict[str, Any] = {
    "choice": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "target_delimiter": " ",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    },
    "rolling": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{text}}",
        "metric_list": [
            {"metric": "word_perplexity"},
            {"metric": "byte_perplexity"},
            {"metric": "bits_per_byte"},
        ],
    },
    "writing": {
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{choices[answer]}}",
        "generation_kwargs": {"until": ["gh", "l"], "max_gen_toks": 12},
        "metric_list": [{"metric": "exact_match"}],
    },
}
ROWS = {"choice": "questions", "rolling": "texts", "writing": "beginnings"}
"""The documents of each task; "hf" writes nothing after an empty prompt."""

TEMPLATE = (
    "{% for m in messages %}{{ bos_token + m.role[0] + ' ' + m.content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ bos_token + 'a ' }}{% endif %}"
)
FEW_SHOTS = {"apply_chat_template": True, "fewshot_as_multiturn": True, "num_fewshot": 2}


@pytest.fixture(scope="module")
def harness() -> Any:
    """The harness; skips where it is not installed, unless all is to run."""
    if "FORETELL_EVAL" in os.environ:
        import lm_eval

        return lm_eval
    return pytest.importorskip("lm_eval")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random checkpoint with a tokenizer and a chat template."""
    path = tmp_path_factory.mktemp("model")
    tokenizer = letters()
    tokenizer.chat_template = TEMPLATE
    tokenizer.model_max_length = 64
    tokenizer.save_pretrained(path)
    tiny_llama().save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def tasks(harness: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tasks, whose documents lie beside them."""
    path = tmp_path_factory.mktemp("tasks")
    documents = {
        "questions": QUESTIONS,
        "beginnings": [one for one in QUESTIONS if one["question"]],
        "texts": [{"text": text} for text in TEXTS],
    }
    for name, rows in documents.items():
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (path / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    for name, task in TASKS.items():
        rows = str(path / f"{ROWS[name]}.jsonl")
        whole = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": rows}},
            "test_split": "test",
            "fewshot_split": "test",
            **task,
        }
        (path / f"{name}.yaml").write_text(json.dumps(whole), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _offline(harness: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)


@pytest.fixture(scope="module")
def ours(harness: Any, folder: Path) -> Iterator[Any]:
    from foretell.evaluation.harness import ForetellLM

    found = ForetellLM(str(folder), activations="float32", kv_dtype="float32")
    yield found
    found.llm.close()


@pytest.fixture(scope="module")
def theirs(harness: Any, folder: Path) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(str(folder), dtype="float32", device="cpu", batch_size=1)


def evaluated(harness: Any, model: Any, tasks: Path, name: str, **options: Any) -> dict[str, Any]:
    """Metrics, and what was answered to each request."""
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    found = harness.simple_evaluate(
        model, tasks=[name], task_manager=manager, bootstrap_iters=0, **options
    )
    samples = sorted(found["samples"][name], key=lambda sample: sample["doc_id"])
    return {
        "metrics": {
            key: value
            for key, value in found["results"][name].items()
            if isinstance(value, float) and "stderr" not in key
        },
        "asked": [sample["arguments"] for sample in samples],
        "answered": [sample["resps"] for sample in samples],
    }


def close(found: Any, expected: Any) -> bool:
    """Whether two answers are one, but for what float32 rounds."""
    if isinstance(expected, (list, tuple)):
        return len(found) == len(expected) and all(map(close, found, expected))
    if isinstance(expected, float):
        return found == pytest.approx(expected, rel=2e-5, abs=2e-5)
    return bool(found == expected)


@pytest.mark.parametrize(
    ("name", "options"),
    [*((name, {}) for name in TASKS), ("choice", FEW_SHOTS), ("writing", FEW_SHOTS)],
)
def test_its_answers_are_those_of_hf(
    harness: Any, ours: Any, theirs: Any, tasks: Path, name: str, options: dict[str, Any]
) -> None:
    found = evaluated(harness, ours, tasks, name, **options)
    expected = evaluated(harness, theirs, tasks, name, **options)
    assert found["asked"] == expected["asked"]
    assert len(found["answered"]) == {"choice": 5, "rolling": 3, "writing": 4}[name]
    assert close(found["answered"], expected["answered"]), (found, expected)
    assert found["metrics"].keys() == expected["metrics"].keys() != set()
    assert found["metrics"] == pytest.approx(expected["metrics"], rel=1e-5)


@pytest.mark.parametrize("text", TEXTS)
def test_its_rolling_windows_are_those_of_the_convention(ours: Any, theirs: Any, text: str) -> None:
    from lm_eval.api.instance import Instance

    asked = [Instance("loglikelihood_rolling", {}, (text,), 0)]
    (expected,) = theirs.loglikelihood_rolling(asked)
    found = perplexity(ours.llm, text, "lm-eval")
    assert -found.mean_nll.value * found.num_scored == pytest.approx(expected, rel=2e-5)


def test_a_prefilled_answer_is_gone_on_with(ours: Any, theirs: Any) -> None:
    chat = [{"role": "user", "content": "abc"}, {"role": "assistant", "content": "def gh"}]
    found = ours.apply_chat_template(chat, add_generation_prompt=False)
    assert found == theirs.apply_chat_template(chat, add_generation_prompt=False)


def test_what_contexts_share_is_computed_once(ours: Any) -> None:
    before = ours.llm.stats()
    context, choices = [3, 4, 5, 6] * 12, [[7, 8], [9, 10], [7, 9], [11]]
    ours._loglikelihood_tokens([(None, context, choice) for choice in choices], disable_tqdm=True)
    after = ours.llm.stats()
    computed = after.prompt_tokens - after.cached_tokens - before.prompt_tokens
    assert computed + before.cached_tokens < len(context) + 3 * 20


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("loglikelihood", [("ab", text) for text in ("cd", "ef", "gh")]),
        ("loglikelihood_rolling", [(text,) for text in TEXTS]),
        ("generate_until", [(text, {"max_gen_toks": 3}) for text in ("ab", "cd", "ef")]),
    ],
)
def test_what_an_interrupted_run_has_answered_is_kept(
    ours: Any, monkeypatch: pytest.MonkeyPatch, kind: str, arguments: list[Any]
) -> None:
    """With --use_cache, the same run goes on from there."""
    from lm_eval.api.instance import Instance

    kept: dict[Any, Any] = {}

    class Hook:
        def add_partial(self, attr: str, args: Any, answer: Any) -> None:
            assert attr == kind
            kept[repr(args)] = answer
            if len(kept) == 2:
                raise KeyboardInterrupt

    asked = [Instance(kind, {}, args, index) for index, args in enumerate(arguments)]
    whole = dict(zip(map(repr, arguments), getattr(ours, kind)(asked), strict=True))
    monkeypatch.setattr("foretell.evaluation.harness.AT_ONCE", 1)
    monkeypatch.setattr(ours, "cache_hook", Hook())
    with pytest.raises(KeyboardInterrupt):
        getattr(ours, kind)(asked)
    assert len(kept) == 2
    assert kept.items() <= whole.items()


def test_what_is_drawn_follows_from_the_harnesss_seed(ours: Any) -> None:
    from lm_eval.api.instance import Instance

    wishes = {"do_sample": True, "max_gen_toks": 20}
    asked = [Instance("generate_until", {}, ("ab", wishes), index) for index in range(2)]
    found = []
    for seed in (5, 5, 6):
        np.random.seed(seed)  # as `simple_evaluate` does
        found.append(ours.generate_until(asked, disable_tqdm=True))
    assert found[0] == found[1] != found[2]
    assert found[0][0] != found[0][1]


def test_what_it_cannot_do_is_refused(ours: Any) -> None:
    with pytest.raises(RequestError, match="must have 1 to 64"):
        ours._loglikelihood_tokens([(None, [3], [])], disable_tqdm=True)
    with pytest.raises(ConfigError, match="chat_template='other' must be one of default"):
        ours.chat_template("other")


@pytest.mark.parametrize(
    ("stated", "settings"),
    [
        ({"until": "x"}, {"max_new_tokens": 256, "do_sample": False}),
        ({"max_gen_toks": 5, "temperature": 0.0}, {"max_new_tokens": 5, "do_sample": False}),
        (
            {"max_tokens": 5, "temperature": 0.7, "top_p": 0.9},
            {"max_new_tokens": 5, "do_sample": True, "temperature": 0.7, "top_p": 0.9},
        ),
        (
            {"do_sample": True, "temperature": 0.0, "top_p": 0.9, "max_new_tokens": 3},
            {"max_new_tokens": 3, "do_sample": False},
        ),
        ({"do_sample": True, "max_tokens": 3}, {"max_new_tokens": 3, "do_sample": True}),
        (
            {"do_sample": False, "temperature": 0.7, "top_p": 0.9, "max_new_tokens": 3},
            {"max_new_tokens": 3, "do_sample": False},
        ),
    ],
)
def test_settings_of_tasks(harness: Any, stated: dict[str, Any], settings: dict[str, Any]) -> None:
    from foretell.evaluation.harness import read_settings

    assert read_settings(stated)[0] == settings


def test_from_the_shell(
    folder: Path, tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["foretell"])  # the command sets it
    words = ["--tasks", "choice", "--include_path", str(tasks), "--limit", "2"]
    with pytest.raises(SystemExit) as exit_code:
        main.run(["eval", "-m", str(folder), *words, "--output_path", str(tmp_path / "out.json")])
    assert not exit_code.value.code
    (written,) = tmp_path.glob("out*.json")
    assert json.loads(written.read_text())["config"]["model"] == "foretell"
