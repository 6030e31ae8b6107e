"""`foretell replay`, and the receipts that `foretell generate` writes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.toy import toy_llm

from foretell import Receipt
from foretell.hub import DEFAULT_MODEL
from foretell.receipts import load_receipts, save_receipts


@pytest.fixture(autouse=True)
def _toy(shell) -> None:
    shell.model(lambda: toy_llm(num_blocks=200))


@pytest.fixture
def file(shell, tmp_path: Path) -> Path:
    """What `generate` writes, under a model's name that is known."""
    path = tmp_path / "receipt.json"
    arguments = ["the cat", "--temperature", "1.5", "--max-new-tokens", "8", "--logprobs", "2"]
    result = shell.run("generate", *arguments, "--ignore-eos", "--receipt", str(path))
    assert result.code == 0
    named(path, DEFAULT_MODEL)
    return path


def named(path: Path, name: str | None, **options: object) -> None:
    """Let a file's receipts say that this was their model."""
    found = load_receipts(path)
    models = [replace(one.model, name=name, options=options) for one in found]
    save_receipts([replace(o, model=m) for o, m in zip(found, models, strict=True)], path)


def test_identical(shell, file: Path) -> None:
    asked = shell.model(lambda: toy_llm(num_blocks=200))
    result = shell.run("replay", str(file))
    assert (result.code, result.out) == (0, "identical: 8 tokens, bit for bit\n")
    assert result.err == "whether the model is that of the receipt is not known: it has no hash\n"
    assert asked == [(DEFAULT_MODEL, {})]


def test_a_difference_exits_with_3(shell, file: Path) -> None:
    receipt = Receipt.load(file)
    replace(receipt, token_ids=(*receipt.token_ids[:7], 5)).save(file)
    result = shell.run("replay", str(file))
    assert result.code == 3
    assert result.out.startswith('token 7 differs: then "&" (5), now ')
    told = json.loads(shell.run("replay", str(file), "--json").out)
    assert (told["identical"], told["difference"]["position"]) == (False, 7)
    assert told["now"]["token_ids"] == list(receipt.token_ids)
    assert told["seed"] == receipt.seed


def test_several_samples_have_a_receipt_each(shell, tmp_path: Path) -> None:
    path = tmp_path / "receipts.json"
    arguments = ["the cat", "-n", "3", "--temperature", "1", "--max-new-tokens", "4"]
    assert shell.run("generate", *arguments, "--ignore-eos", "--receipt", str(path)).code == 0
    named(path, DEFAULT_MODEL)
    assert [one.index for one in load_receipts(path)] == [0, 1, 2]
    result = shell.run("replay", str(path))
    assert result.code == 0
    lines = [f"receipt {number}: identical: 4 tokens, bit for bit" for number in (1, 2, 3)]
    assert result.out.splitlines() == lines
    assert len(json.loads(shell.run("replay", str(path), "--json").out)) == 3


def test_the_options_are_the_receipts_unless_given(shell, file: Path) -> None:
    asked = shell.model(lambda: toy_llm(num_blocks=200))
    named(file, DEFAULT_MODEL, kv_dtype="q8", context_length=64)
    shell.run("replay", str(file), "--kv-dtype", "float32", "--threads", "1")
    options = {"kv_dtype": "float32", "context_length": 64, "threads": 1}
    assert asked == [(DEFAULT_MODEL, options)]


@pytest.mark.parametrize("name", ["/etc/passwd", "model.gguf", "org/model", "../x", None])
def test_a_strangers_path_or_name_is_not_opened(shell, file: Path, name: str | None) -> None:
    asked = shell.model(lambda: toy_llm(num_blocks=200))
    named(file, name)
    result = shell.run("replay", str(file))
    assert (result.code, asked) == (2, [])
    assert "say with --model where it is" in result.err
    assert shell.run("replay", str(file), "--model", "mine.gguf").code == 0
    assert asked == [("mine.gguf", {})]


@pytest.mark.parametrize("options", [{"adapters": "/etc"}, {"threads": 512}, {"nonsense": 1}])
def test_other_options_cannot_be_a_receipts(shell, file: Path, options: dict) -> None:
    named(file, DEFAULT_MODEL, **options)
    result = shell.run("replay", str(file))
    assert result.code == 2
    assert "no such option can be in a receipt" in result.err


def test_what_is_no_receipt_is_refused(shell, tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    result = shell.run("replay", str(path))
    assert (result.code, result.out) == (2, "")
    path.write_text('{"format": 1}')
    result = shell.run("replay", str(path))
    assert result.code == 2
    assert "is no receipt: " in result.err


def test_a_receipt_that_cannot_be_written_is_told_before_the_text(shell, tmp_path: Path) -> None:
    asked = shell.model(lambda: toy_llm(num_blocks=200))
    path = tmp_path / "none" / "receipt.json"
    result = shell.run("generate", "the cat", "--receipt", str(path))
    assert (result.code, result.out, asked) == (1, "", [])
    assert f"{path}: No such file or directory (its folder is missing)" in result.err


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"settings": {"temperature": -1, "dialect": "foretell"}, "stated": ("temperature",)},
         "the receipt's settings: temperature=-1 "),
        ({"prompt_token_ids": (10**6,)}, "1000000"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_receipt_names_its_file(shell, file: Path, changes, told) -> None:
    replace(Receipt.load(file), **changes).save(file)
    result = shell.run("replay", str(file))
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"foretell: error: {file}: ")
    assert told in result.err
