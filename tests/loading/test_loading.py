"""What `LLM` takes for a model, and on which backend it runs."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.numpy import load_file
from support.checkpoint_folders import save_llama
from support.folder_tokenizers import save
from support.llama_files import make_model, write_model
from support.toy import toy_llm, toy_tokenizer
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DiffLlamaConfig,
    DiffLlamaForCausalLM,
)

from foretell import LLM, AsyncLLM
from foretell.cli import main
from foretell.errors import ConfigError, ModelFileError, UnsupportedModelError
from foretell.loading import load as loading
from foretell.loading import progress

PROMPT = "The cat sat"


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama with a tokenizer, as a folder."""
    folder = tmp_path_factory.mktemp("llama")
    save_llama(folder, vocab_size=500)
    return save(folder, "llama3", chat_template="{{ messages[0].content }}")


@pytest.fixture(scope="module")
def unknown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A family that native does not know."""
    folder = tmp_path_factory.mktemp("unknown")
    config = DiffLlamaConfig(
        vocab_size=500, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, intermediate_size=48, max_position_embeddings=64,
    )  # fmt: skip
    DiffLlamaForCausalLM(config).save_pretrained(folder)
    return save(folder, "byte_level")


def greedy(folder: Path, count: int = 12) -> list[int]:
    """transformers' own greedy tokens."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()
    inputs = AutoTokenizer.from_pretrained(folder)(PROMPT, return_tensors="pt")
    kept = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    ids = model.generate(**kept, max_new_tokens=count, do_sample=False, eos_token_id=None)
    return ids[0, kept["input_ids"].shape[1] :].tolist()


def greedy_of(llm: LLM, count: int = 12) -> list[int]:
    return llm.generate(PROMPT, max_new_tokens=count, ignore_eos=True).token_ids


@pytest.mark.parametrize("backend", ["auto", "native", "transformers"])
def test_a_folder_runs_on_both_backends(llama: Path, backend: Any) -> None:
    exact = {} if backend == "transformers" else {"activations": "float32", "kv_dtype": "float32"}
    with LLM(llama, backend=backend, **exact) as llm:
        assert llm.info.name == ("transformers" if backend == "transformers" else "native")
        assert greedy_of(llm) == greedy(llama)
        assert llm.chat([{"role": "user", "content": PROMPT}], max_new_tokens=1).token_ids


def test_auto_takes_transformers_where_native_does_not_know_the_model(
    unknown: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with LLM(unknown) as llm:
        assert llm.info.name == "transformers"
        assert greedy_of(llm) == greedy(unknown)
    told = caplog.text
    assert "model_type 'diffllama' is not known natively" in told
    assert "known are" in told
    assert re.search(r"known are '\w+', .* and \d+ more", told)
    assert "running it with transformers" in told


def test_native_says_who_may_run_it(unknown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedModelError, match="; backend='transformers' may run it"):
        LLM(unknown, backend="native")
    monkeypatch.setattr(loading, "_has_transformers", lambda: False)
    with pytest.raises(UnsupportedModelError, match=r"pip install 'torch>=2\.4' 'transformers>=5"):
        LLM(unknown)


@pytest.mark.parametrize(
    "settings", [{"quantize": "q8"}, {"activations": "float32"}, {"kv_share": 0.1}, {"threads": 1}]
)
def test_settings_of_native_are_refused_by_transformers(
    llama: Path, settings: dict[str, Any]
) -> None:
    (name,) = settings
    with pytest.raises(ConfigError, match=f"{name}=.* has no effect on backend='transformers'"):
        LLM(llama, backend="transformers", **settings)


@pytest.mark.parametrize("settings", [{"device": "cpu"}, {"dtype": "bfloat16"}])
def test_device_and_dtype_choose_transformers(
    llama: Path, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with LLM(llama, **settings) as llm:
        assert llm.info.name == "transformers"
        expected = settings.get("dtype", "float32")
        assert llm.info.description == f"LlamaForCausalLM, {expected}, cpu"
    (name, value), told = *settings.items(), caplog.text
    assert f"{name}={value!r}: running it with transformers" in told


def test_device_and_dtype_reach_transformers(llama: Path) -> None:
    async def describe() -> str:
        async with AsyncLLM(llama, backend="transformers", dtype=torch.float16) as llm:
            return llm.info.description

    assert asyncio.run(describe()) == "LlamaForCausalLM, float16, cpu"
    with pytest.raises(ConfigError, match="device='abacus' must be one of"):
        LLM(llama, backend="transformers", device="abacus")
    with pytest.raises(ConfigError, match="dtype='int3' must be one of"):
        LLM(llama, backend="transformers", dtype="int3")


@pytest.mark.parametrize("settings", [{"device": "cpu"}, {"dtype": "float32"}])
def test_device_and_dtype_are_refused_elsewhere(
    llama: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    (name,) = settings
    file = write_model(tmp_path / "m.gguf", make_model())
    model = AutoModelForCausalLM.from_pretrained(llama).eval()
    tokenizer = AutoTokenizer.from_pretrained(llama)
    with pytest.raises(ConfigError, match=f"{name}=.* no effect on backend='native'"):
        LLM(llama, backend="native", **settings)
    with pytest.raises(ConfigError, match=f"{name}=.* no effect on the GGUF file"):
        LLM(file, **settings)
    with pytest.raises(ConfigError, match=f"{name}=.* no effect on a model given as an object"):
        LLM(model, tokenizer=tokenizer, **settings)
    with pytest.raises(ConfigError, match=f"{name}=.* no effect on a model given as a Backend"):
        LLM(toy_llm().backend, tokenizer=toy_tokenizer(), **settings)


@pytest.mark.parametrize("backend", ["native", "transformers", "auto"])
def test_broken_files_are_told_alike_on_all_backends(
    llama: Path, tmp_path: Path, backend: Any
) -> None:
    folder = shutil.copytree(llama, tmp_path / "pickle")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(
        UnsupportedModelError, match=r"pickle \(pytorch_model.bin\).*any code.*save"
    ):
        LLM(folder, backend=backend)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../b"}}')
    with pytest.raises(ModelFileError, match=r"puts tensor 'a' in '../b': must be the name of"):
        LLM(folder, backend=backend)


def test_auto_leaves_weights_quantized_by_others_to_transformers(
    llama: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = shutil.copytree(llama, tmp_path / "other")
    change(folder / "config.json", lambda it: it.update(quantization_config={"quant_method": "x"}))
    with pytest.raises(UnsupportedModelError, match="weights quantized by 'x' are not supported"):
        LLM(folder, backend="native")
    with LLM(folder) as llm:
        assert llm.info.name == "transformers"
    assert "running it with transformers" in caplog.text


def test_quantized_folders_and_files_run(llama: Path, tmp_path: Path) -> None:
    with LLM(llama, quantize="q4") as llm:
        assert " in q4, " in llm.info.description
        assert len(greedy_of(llm)) == 12
    file = write_model(tmp_path / "m.gguf", make_model(vocab_size=500), "F16")
    with LLM(file, quantize="q8", tokenizer=llm.tokenizer) as other:
        assert " in q8, " in other.info.description
        assert len(greedy_of(other)) == 12


def test_models_of_transformers_run(llama: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama, dtype="float32").eval()
    tokenizer = AutoTokenizer.from_pretrained(llama)
    with LLM(model, tokenizer=tokenizer, context_length=64) as llm:
        assert llm.info.name == "transformers"
        assert llm.info.context_length == 64
        assert greedy_of(llm) == greedy(llama)
    with pytest.raises(ConfigError, match="needs its tokenizer"):
        LLM(model)
    with pytest.raises(ConfigError, match="backend='native' cannot run a model of transformers"):
        LLM(model, tokenizer=tokenizer, backend="native")
    with pytest.raises(ConfigError, match="revision='main' has no effect"):
        LLM(model, tokenizer=tokenizer, revision="main")


def test_settings_without_effect_are_refused(llama: Path, tmp_path: Path) -> None:
    backend = toy_llm().backend
    for settings in ({"quantize": "q8"}, {"backend": "native"}, {"threads": 2}):
        with pytest.raises(ConfigError, match="has no effect on a model given as a Backend"):
            LLM(backend, tokenizer=toy_tokenizer(), **settings)
    with pytest.raises(ConfigError, match="backend='magic' must be one of"):
        LLM(llama, backend="magic")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="revision='v1' has no effect"):
        LLM(llama, revision="v1")
    file = write_model(tmp_path / "m.gguf", make_model())
    with pytest.raises(ConfigError, match="backend='transformers' cannot run the GGUF file"):
        LLM(file, backend="transformers")
    with pytest.raises(ConfigError, match="model=7 must be a name"):
        LLM(7)


def change(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(json.dumps(values))


def test_generation_config_recommends_and_ends(tmp_path: Path) -> None:
    save_llama(tmp_path, vocab_size=500)
    save(tmp_path, "byte_level")
    path = tmp_path / "generation_config.json"
    wanted = {"do_sample": True, "temperature": 0.5, "top_k": 7, "eos_token_id": [3, 4]}
    change(path, lambda values: values.update(wanted))
    with LLM(tmp_path) as llm:
        assert llm.recommended == wanted
        assert llm.tokenizer.eos_token_ids == {1, 3, 4}
    change(path, lambda values: values.update(temperature=-1))
    with LLM(tmp_path) as llm, pytest.raises(ModelFileError, match="recommends impossible"):
        llm.generate(PROMPT, max_new_tokens=1, preset="model")


@pytest.mark.parametrize(
    "stated",
    [
        {"do_sample": True, "temperature": 0.0},
        {"do_sample": True, "temperature": [0.5]},
        {"do_sample": True, "top_k": {"a": 1}},
        {"do_sample": "yes", "top_p": 10**400},
        {"do_sample": True, "top_p": "x" * 5000},
        {"suppress_tokens": [[1]]},
        {"max_new_tokens": 1e999},
        {"eos_token_id": 3, "repetition_penalty": "\x1b[31m"},
    ],
    ids=lambda value: str(value)[:50],
)
def test_recommendations_are_looked_at_when_they_are_asked_for(
    tmp_path: Path, stated: dict[str, Any]
) -> None:
    save_llama(tmp_path, vocab_size=500)
    save(tmp_path, "byte_level")
    path = tmp_path / "generation_config.json"
    change(path, lambda values: values.update(stated))
    with LLM(tmp_path) as llm:
        expected = llm.generate(PROMPT, max_new_tokens=3).token_ids
        assert expected
        with pytest.raises(ModelFileError) as caught:
            llm.generate(PROMPT, max_new_tokens=3, preset="model")
        assert llm.generate(PROMPT, max_new_tokens=3).token_ids == expected
    message = str(caught.value)
    assert message.startswith(f"preset='model': {path} recommends impossible settings: ")
    assert len(message) < len(str(path)) + 300
    assert message.isprintable()


def test_the_command_line_opens_folders(llama: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["generate", PROMPT, "-m", str(llama), "--max-new-tokens", "3"]
    assert run(*arguments, "--backend", "native", "--quantize", "q8", "--json") == 0
    with LLM(llama, quantize="q8") as llm:
        expected = llm.generate(PROMPT, max_new_tokens=3)
    assert json.loads(capsys.readouterr().out)["token_ids"] == expected.token_ids
    assert run(*arguments, "--device", "cpu", "--dtype", "bfloat16") == 0
    assert "running it with transformers" in capsys.readouterr().err
    assert run(*arguments, "--revision", "v1") == ConfigError.exit_code
    assert "revision='v1' has no effect" in capsys.readouterr().err


def run(*arguments: str) -> int:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as exit_request:
        main.run(arguments)
    signal.signal(signal.SIGTERM, before)
    return exit_request.value.code


def test_a_bar_on_a_terminal_counts_the_bytes_of_a_large_model(
    llama: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    LLM(llama).close()
    assert "Loading" not in capsys.readouterr().err
    monkeypatch.setattr(progress, "LARGE", 1000)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    counted: list[int] = []
    monkeypatch.setattr(
        "rich.progress.Progress.update",
        lambda bar, task, *, completed, description: counted.append(completed),
    )
    LLM(llama).close()
    assert "Loading" in capsys.readouterr().err
    tensors = load_file(llama / "model.safetensors").values()
    assert counted == sorted(counted)
    assert counted[-1] == sum(tensor.nbytes for tensor in tensors if tensor.ndim == 2)
