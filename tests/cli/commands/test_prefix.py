"""`foretell prefix`, and `--prefix` of other commands."""

from __future__ import annotations

import json
import re

import pytest
from support.kept import open_kind, write_kind

from foretell import LLM

TEXT = "The cat sat on the mat, and " * 4


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_kind(tmp_path_factory.mktemp("models"), "llama")


@pytest.fixture
def opened(shell, path, monkeypatch):
    """What commands open is the tiny model, with the options that they give."""
    asked = []

    def load(model, **options):
        asked.append(options)
        return open_kind(path, **options)

    monkeypatch.setattr("foretell.llm.LLM", load)
    return asked


def test_saved_shown_and_used(shell, opened, tmp_path):
    file = str(tmp_path / "a.prefix")
    shell.stdin(TEXT.encode())
    saved = shell.run("prefix", "save", file)
    assert (saved.code, saved.out) == (0, "")
    assert "tokens kept in" in saved.err
    shown = shell.run("prefix", "show", file)
    assert (shown.code, shown.err) == (0, "")
    assert re.search(r"^kv_dtype +float16$", shown.out, re.MULTILINE)
    columns = {re.search(r"(?<= )[^ ]", line).start() for line in shown.out.splitlines()[1:]}
    assert len(columns) == 1  # the values stand below each other
    data = json.loads(shell.run("prefix", "show", file, "--json").out)
    assert data["num_tokens"] == len(data["token_ids"]) > 0
    length = ("--max-new-tokens", "5", "--ignore-eos", "--json", "--quiet")
    plain = json.loads(shell.run("generate", TEXT, *length).out)
    found = json.loads(shell.run("generate", TEXT, "--prefix", file, *length).out)
    assert found["token_ids"] == plain["token_ids"]
    assert (plain["usage"]["cached_tokens"], found["usage"]["cached_tokens"]) == (
        0,
        data["num_tokens"],
    )
    assert opened[-1] == {"prefixes": (file,)}


def test_a_system_message(shell, opened, tmp_path):
    by_text, by_file = tmp_path / "a.prefix", tmp_path / "b.prefix"
    (tmp_path / "rules.txt").write_text(TEXT + "\n")
    as_json = shell.run("prefix", "save", str(by_text), "--system", TEXT, "--json")
    assert json.loads(as_json.out)["path"] == str(by_text)
    shell.run("prefix", "save", str(by_file), "--system-file", str(tmp_path / "rules.txt"))
    assert by_text.read_bytes() == by_file.read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ("text", "--system", "x"),
        ("--system", "x", "--system-file", "pyproject.toml"),
        ("--parse-special", "--system", "x"),
        ("short",),
    ],
)
def test_what_the_user_can_mend_exits_with_2(shell, opened, tmp_path, arguments):
    result = shell.run("prefix", "save", str(tmp_path / "a.prefix"), *arguments)
    assert (result.code, result.out) == (2, "")
    assert "error: " in result.err
    assert not (tmp_path / "a.prefix").exists()


def test_a_damaged_file_is_an_error_in_a_line(shell, opened, tmp_path):
    file = tmp_path / "a.prefix"
    file.write_bytes(b"foretell prefix\0" * 9)
    for arguments in (("generate", "x", "--prefix"), ("prefix", "show")):
        result = shell.run(*arguments, str(file))
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith("foretell: error: ")
        assert result.err.count("\n") == 1
    missing = shell.run("prefix", "show", str(tmp_path / "no"))
    assert (missing.code, missing.out) == (1, "")
    assert "cannot be read: No such file" in missing.err


def test_the_examples_message_is_long_enough_to_be_kept(shell, default_model_path, tmp_path):
    found = re.search(r'--system "(.+)"', shell.run("prefix", "--help").out)
    with LLM(default_model_path) as llm:
        messages = [{"role": "system", "content": found[1]}]
        assert llm.save_prefix(tmp_path / "a.prefix", messages=messages).num_tokens >= 16
