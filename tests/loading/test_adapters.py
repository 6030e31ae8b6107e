"""`LLM(model, adapters=...)` and `--adapter`: which adapters are meant, and for which models."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from support.adapters import Adapter
from support.checkpoint_folders import save_llama
from support.folder_tokenizers import save
from support.llama_files import make_model, write_model

from foretell import LLM
from foretell.cli import main
from foretell.errors import ConfigError, ModelNotFoundError, UnsupportedModelError
from foretell.loading.options import ModelOptions

PROMPT = "The cat sat"
SIZES = {"vocab_size": 500, "tie_word_embeddings": False}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llama")
    return save(save_llama(folder, **SIZES), "llama3")


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, model = tmp_path_factory.mktemp("adapters"), make_model(**SIZES)
    return [Adapter(seed=seed, size=0.3).save(folder / str(seed), model) for seed in (1, 2)]


def chosen(value: Any) -> list[tuple[str, float]]:
    return [(str(one.path), one.weight) for one in ModelOptions(adapters=value).adapters]


def test_adapters_are_named_in_several_ways() -> None:
    assert chosen(None) == chosen([]) == chosen({}) == []
    assert chosen("a") == chosen(Path("a")) == chosen(["a"]) == chosen({"a": 1}) == [("a", 1.0)]
    assert chosen(["a", ("b", 0.5), Path("a")]) == [("a", 1.0), ("b", 0.5), ("a", 1.0)]
    assert chosen({"a": -1, "b": 2.5}) == [("a", -1.0), ("b", 2.5)]


@pytest.mark.parametrize(
    "value", [3, True, "", [3], [""], [("a", "b")], [("a", 1, 2)], {"a": None}, {"a": float("nan")},
              {"a": True}, {"a": 1e9}, b"a", ["a\x1b"]]
)  # fmt: skip
def test_what_is_no_adapter_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^adapters="):
        ModelOptions(adapters=value)


def tokens(model: Path, **options: Any) -> list[int]:
    with LLM(model, **options) as llm:
        return llm.generate(PROMPT, max_new_tokens=12).token_ids


def test_a_model_writes_as_its_adapters_say(llama: Path, adapters: list[Path]) -> None:
    plain = tokens(llama)
    texts = [
        tokens(llama, adapters=value)
        for value in (adapters[0], adapters[1], adapters, {adapters[0]: 0.25})
    ]
    assert len({tuple(text) for text in [plain, *texts]}) == 5
    assert tokens(llama, adapters={adapters[0]: 0}) == plain
    with LLM(llama, adapters=adapters) as llm:
        assert llm.info.description.startswith(f"{llama.name} + 1 + 2, ")


def run(*arguments: str) -> int:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as exit_request:
        main.run(arguments)
    signal.signal(signal.SIGTERM, before)
    code: int = exit_request.value.code
    return code


def test_the_shell_takes_several(
    llama: Path, adapters: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["generate", PROMPT, "-m", str(llama), "--max-new-tokens", "12", "--json"]
    given = ["--adapter", str(adapters[0]), "--adapter", f"{adapters[1]}=-0.5"]
    assert run(*arguments, *given) == 0
    found = json.loads(capsys.readouterr().out)["token_ids"]
    assert found == tokens(llama, adapters={adapters[0]: 1, adapters[1]: -0.5})
    assert run(*arguments, "--adapter", "no/where=0.5") == ModelNotFoundError.exit_code
    assert "adapter no/where does not exist" in capsys.readouterr().err


def test_a_file_takes_adapters(llama: Path, adapters: list[Path], tmp_path: Path) -> None:
    file = write_model(tmp_path / "m.gguf", make_model(**SIZES), "F32")
    with LLM(llama) as llm:
        tokenizer = llm.tokenizer
    exact = {"adapters": adapters[0], "activations": "float32"}
    assert tokens(file, tokenizer=tokenizer, **exact) == tokens(llama, **exact)


def test_transformers_takes_none(llama: Path, adapters: list[Path]) -> None:
    with pytest.raises(ConfigError, match=r"adapters=.* has no effect on backend='transformers'"):
        LLM(llama, adapters=adapters, backend="transformers")


def test_an_adapter_is_no_model(adapters: list[Path]) -> None:
    (adapters[0] / "config.json").write_text("{}")
    try:
        with pytest.raises(UnsupportedModelError, match="give that model, and this folder as"):
            LLM(adapters[0])
    finally:
        (adapters[0] / "config.json").unlink()
