"""`foretell chat`, piped and at a terminal."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.toy import toy_llm
from support.toy_chat import chatting_llm

USER = {"role": "user", "content": "hi"}


@pytest.fixture
def piped(shell: Any) -> Callable[..., Any]:
    """Chat with these lines on stdin."""

    def run(lines: str, *arguments: str, **settings: Any) -> Any:
        shell.model(lambda: chatting_llm(**settings))
        shell.stdin(lines.encode())
        return shell.run("chat", "-q", *arguments)

    return run


@pytest.fixture
def typed(shell: Any) -> Callable[..., Any]:
    """Chat with these lines typed at a terminal."""

    def run(lines: str, *arguments: str, on_token: Callable[[str], None] | None = None) -> Any:
        shell.model(lambda: chatting_llm(on_token))
        shell.stdin(lines.encode(), is_terminal=True)
        return shell.run("chat", *arguments)

    return run


def test_each_piped_line_is_answered_on_stdout(piped: Any) -> None:
    result = piped("hi\n\n고양이\n")
    assert (result.code, result.out, result.err) == (0, "1: hi\n2: 고양이\n", "")


def test_statistics_go_to_stderr(shell: Any) -> None:
    shell.model(chatting_llm)
    shell.stdin(b"hi\n")
    result = shell.run("chat")
    assert result.out == "1: hi\n"
    assert re.fullmatch(r"6 tokens, [\d.]+ tokens/s\n", result.err)


def test_the_line_of_statistics_tells_an_unusual_end(shell: Any) -> None:
    shell.model(chatting_llm)
    shell.stdin(b"hi\n")
    assert "2 tokens, " in (err := shell.run("chat", "--max-new-tokens", "2").err)
    assert err.endswith("ended by length\n")


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        ("a\\\nb\\\nc\n", "1: a\nb\nc\n"),
        ("a\\\n", "1: a\n"),
        ('"""a\n b\n"""\n', "1: a\n b\n"),
        ('"""\na\n\nb"""\n', "1: a\n\nb\n"),
        ('"""a"""\n', "1: a\n"),
        ('"""a\nb', "1: a\nb\n"),
        ('/multi\na\n/undo\n"""\n', "1: a\n/undo\n"),
        ('"""/undo"""\n', "1: /undo\n"),
        ("//a\n", "1: /a\n"),
        ("hi\r\n", "1: hi\n"),
        ("hi", "1: hi\n"),
    ],
)
def test_messages_of_several_lines(piped: Any, lines: str, answer: str) -> None:
    result = piped(lines)
    assert (result.code, result.out, result.err) == (0, answer, "")


def test_settings_change(piped: Any) -> None:
    result = piped(
        '/set max-new-tokens 2\nhi\n/set stop [" ", "x"]\n/set temperature\n/settings\n'
        "/set max_new_tokens\nhi\n"
    )
    assert result.out == "1:\n2:\n"
    assert 'stop = [" ", "x"]' in result.err
    assert "greedy" not in result.err


def test_answers_are_drawn_as_preset_chat_says_unless_settings_say_how(piped: Any) -> None:
    assert 'preset = "chat"' in (shown := piped("/set\n").err)
    assert "temperature = 0.7" in shown
    assert "greedy" not in shown
    for stated in (["--greedy"], ["--temperature", "0"]):
        assert "greedy" in piped("/set\n", *stated).err
    assert "top_p" not in piped("/set\n", "--temperature", "0.3").err
    assert "temperature = 0.7" in piped("/set\n", "--repetition-penalty", "1.1").err
    assert "greedy" in piped("/set preset\n").err


@pytest.mark.parametrize("word", ["/quit", "/exit", "/bye", "exit", "quit", " exit "])
def test_who_wants_to_leave_may(piped: Any, word: str) -> None:
    assert piped(f"{word}\nhi\n").out == ""


def test_a_system_message_that_is_taken_back_is_shown(piped: Any) -> None:
    result = piped("/system be kind\n/system\n/system\n")
    assert result.err == "taken back: be kind\nthere is no system message\n"


@pytest.mark.parametrize("line", ["temperature=0.25", "temperature = 0.25", "temperature  0.25"])
def test_a_setting_may_be_given_as_it_is_listed(piped: Any, line: str) -> None:
    assert "temperature = 0.25" in piped(f"/set {line}\n").err


def test_a_word_is_a_value(piped: Any) -> None:
    result = piped("/set preset chat\n/settings\n")
    assert 'preset = "chat"' in result.err
    assert "greedy" not in result.err


def test_the_system_message_changes(piped: Any, tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    lines = f"hi\n/save {path}\n/system be kind\n/save {path}2\n/system\n/save {path}3\n"
    assert piped(lines, "--system", "be brief").code == 0
    firsts = [json.loads(Path(f"{path}{n}").read_text())["messages"][0] for n in ("", "2", "3")]
    assert [first["content"] for first in firsts] == ["be brief", "be kind", "hi"]


def test_undo_retry_and_clear(piped: Any) -> None:
    result = piped("a\nb\n/undo\nc\n/retry\n/clear\nd\n")
    assert result.out == "1: a\n2: b\n2: c\n2: c\n1: d\n"
    assert "taken back: b" in result.err


def test_a_retry_that_fails_takes_nothing_back(typed: Any, tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    path.write_text(json.dumps([{**USER, "content": "refuse"}]))
    result = typed(f"/retry\n/save {path}2\n", "--load", str(path))
    assert "does not take these messages: no thanks" in result.err
    assert json.loads(Path(f"{path}2").read_text())["messages"][0]["content"] == "refuse"


def test_a_saved_talk_goes_on(piped: Any, tmp_path: Path) -> None:
    path = tmp_path / "my talk.json"
    assert f"saved to {path}" in piped(f"a\n/save {path}\n").err
    assert piped("b\n", "--load", str(path)).out == "2: b\n"
    result = piped(f"/load {path}\nb\n")
    assert result.out == "2: b\n"
    assert "loaded 2 messages" in result.err
    assert piped("b\n/save x/y", "--load", str(path), "--system", "be kind").code == 2
    path.write_text(json.dumps([USER]))
    assert piped(f"/load {path}\n").err.endswith("loaded 1 message\n")


@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_around_a_file_are_no_part_of_its_name(
    piped: Any, tmp_path: Path, quote: str
) -> None:
    path = tmp_path / "my talk.json"
    piped(f"a\n/save {quote}{path}{quote}\n")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert piped(f"/load {quote}{path}{quote}\nb\n").out == "2: b\n"


def test_a_talk_takes_the_place_of_a_talk_alone(typed: Any, tmp_path: Path) -> None:
    talk, notes = tmp_path / "talk.json", tmp_path / "notes.txt"
    notes.write_text("milk, bread\n")
    result = typed(f"a\n/save {talk}\nb\n/save {talk}\n/save {notes}\n")
    assert f"saved to {talk}\n" in result.err
    assert f"saved to {talk}, in place of the conversation that was there\n" in result.err
    assert "notes.txt: is there, and no conversation: give another name" in result.err
    assert len(json.loads(talk.read_text())["messages"]) == 4
    assert notes.read_text() == "milk, bread\n"


def test_help_names_every_command(piped: Any) -> None:
    from foretell.cli.chat.commands import SLASH_COMMANDS

    shown = piped("/help\n").err
    for name, known in SLASH_COMMANDS.items():
        assert f"/{name} {known.argument}".strip() in shown
        assert known.meaning in shown


def test_help_fits_a_narrow_terminal(shell: Any) -> None:
    from foretell.cli.chat.commands import SLASH_COMMANDS

    shell.model(chatting_llm)
    shell.terminal(columns=40)
    shell.stdin(b"/help\n", is_terminal=True)
    shown = shell.run("chat").err
    assert max(map(len, shown.splitlines())) <= 40
    words = shown.split()
    for name, known in SLASH_COMMANDS.items():
        assert f"/{name}" in words
        assert set(known.meaning.split()) <= set(words)


MISTAKES = [
    ("/hlep", "no command is called /hlep: did you mean /help?"),
    ("/xyz", "no command is called /xyz: /help lists all"),
    ("/undo 3", "/undo 3: must stand alone"),
    ("/save", "/save needs FILE"),
    ("/keep", "there is no stopped answer"),
    ("/save .", ".: cannot be written: Is a directory"),
    ("/save a\0b", "a\\x00b: cannot be written: a file's name has no NUL"),
    ("/load a\0b", "a\\x00b: cannot be read: embedded null byte"),
    ("/load .", ".: cannot be read: Is a directory"),
    ("/set temprature 1", "unknown setting 'temprature': did you mean 'temperature'?"),
    ("/set temperature warm", "temperature='warm'"),
    ("/set top_p 2", "top_p=2 is out of range"),
    ("/set = 2", "unknown setting ''"),
    ("/undo", "nothing was said yet"),
    ("/retry", "nothing was said yet"),
    ("/load no-such.json", "no-such.json: cannot be read: No such file"),
    ("/multi now", "/multi now: must stand alone"),
    ("refuse", "the chat template does not take these messages: no thanks"),
]


@pytest.mark.parametrize(("line", "reason"), MISTAKES)
def test_a_mistake_on_a_pipe_ends_it(piped: Any, line: str, reason: str) -> None:
    result = piped(f"{line}\nhi\n")
    assert (result.code, result.out.strip()) == (2, "")
    assert result.err.startswith(f"foretell: error: {reason}")
    assert result.err.count("\n") == 1


def test_a_mistake_at_a_terminal_is_told(typed: Any) -> None:
    result = typed("".join(f"{line}\n" for line, _ in MISTAKES) + "hi\n", "-q")
    assert result.code == 0
    assert result.out.strip() == "1: hi"
    for _, reason in MISTAKES:
        assert f"foretell: error: {reason}" in result.err


def test_a_terminal_is_greeted_and_prompted(typed: Any) -> None:
    result = typed("hi\\\nyou\n")
    assert result.out == "1: hi\nyou\n"
    assert result.err.startswith("a script over 263 tokens\n/help lists commands.")
    assert result.err.count("> ") == 2
    assert result.err.count("… ") == 1


@pytest.mark.parametrize("signals", [1, 2])
def test_ctrl_c_stops_the_answer_alone(typed: Any, tmp_path: Path, signals: int) -> None:
    path, kept_path = tmp_path / "talk.json", tmp_path / "kept.json"

    def interrupt(said: str) -> None:
        if said == "1: he":
            for _ in range(signals):
                signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    lines = f"hello\n/save {path}\n/keep\n/save {kept_path}\nhi\n"
    result = typed(lines, "-q", on_token=interrupt)
    assert result.code == 0
    answer, rest = result.out.split("\n", 1)
    assert "1: he".startswith(answer[:5])
    assert len(answer) <= len("1: hel")
    assert rest == "2: hi\n"
    assert "(stopped, and not kept: /keep keeps it, /retry answers anew)" in result.err
    assert json.loads(path.read_text())["messages"] == []
    kept = json.loads(kept_path.read_text())["messages"]
    assert kept == [{**USER, "content": "hello"}, {"role": "assistant", "content": answer}]
    assert signal.getsignal(signal.SIGINT) == before


def test_an_answer_that_was_stopped_is_no_part_of_what_follows(typed: Any) -> None:
    stopped = []

    def interrupt(said: str) -> None:
        if said == "1: he" and not stopped:
            stopped.append(said)
            signal.raise_signal(signal.SIGINT)

    result = typed("hello\n/retry\nhi\n", "-q", on_token=interrupt)
    assert result.out.splitlines()[1:] == ["1: hello", "2: hi"]


def test_ctrl_c_ends_a_piped_chat(piped: Any) -> None:
    def interrupt(said: str) -> None:
        if said == "1: h":
            raise KeyboardInterrupt

    result = piped("hi\nhi\n", on_token=interrupt)
    assert (result.code, result.out, result.err) == (130, "1: h\n", "")


def test_ctrl_c_at_the_prompt_gives_a_hint(typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([KeyboardInterrupt(), "hi", EOFError()])

    def ask() -> str:
        answer = next(answers)
        if isinstance(answer, str):
            return answer
        raise answer

    monkeypatch.setattr("builtins.input", ask)
    result = typed("", "-q")
    assert (result.code, result.out) == (0, "1: hi\n")
    assert "Ctrl-D leaves" in result.err


def test_what_is_not_utf8_is_refused(shell: Any) -> None:
    shell.model(chatting_llm)
    shell.stdin(b"caf\xe9\n")
    assert "stdin has byte 0xe9: must be UTF-8 text" in shell.run("chat").err


def test_a_byte_order_mark_is_not_part_of_the_first_message(shell: Any) -> None:
    shell.model(chatting_llm)
    shell.stdin(b"\xef\xbb\xbfhi\n\xef\xbb\xbfhi\n")
    assert shell.run("chat", "-q").out == "1: hi\n2: \ufeffhi\n"


def test_words_wrap_between_words_on_a_terminal_alone(shell: Any) -> None:
    words = " ".join(["word"] * 20)
    shell.model(chatting_llm)
    shell.stdin(f"{words}\n".encode())
    assert shell.run("chat", "-q").out == f"1: {words}\n"
    shell.terminal(columns=40)
    shell.stdin(f"{words}\n".encode())
    lines = shell.run("chat", "-q").out.splitlines()
    assert max(map(len, lines)) <= 40
    assert {word for line in lines for word in line.split()} == {"1:", "word"}
    assert len(lines) == 3


def test_an_answer_steers_no_terminal(shell: Any) -> None:
    shell.model(chatting_llm)
    shell.stdin(b"\x1b[2Jhi\n")
    assert shell.run("chat", "-q").out == "1: \x1b[2Jhi\n"  # a pipe gets what was written
    shell.terminal()
    shell.stdin(b"\x1b[2Jhi\n")
    assert shell.run("chat", "-q").out == "1: \\x1b[2Jhi\n"


def test_mistakes_are_told_before_the_model_is_loaded(shell: Any, tmp_path: Path) -> None:
    asked = shell.model(chatting_llm)
    assert shell.run("chat", "--top-p", "2").code == 2
    assert shell.run("chat", "--load", str(tmp_path / "none.json")).code == 2
    assert asked == []


def test_a_model_without_a_template_is_refused(shell: Any) -> None:
    shell.model(toy_llm)
    shell.stdin(b"hi\n")
    result = shell.run("chat")
    assert result.code == 2
    assert "this model comes with no chat template" in result.err


def test_options_are_settings(piped: Any) -> None:
    assert piped("hi\n", "--max-new-tokens", "2").out == "1:\n"
    assert piped("hi\n", "--stop", "hi").out == "1: \n"
    assert "No such option" in piped("hi\n", "--logprobs", "1").err


def test_the_default_model_talks_on_a_pipe(default_model_path: Path) -> None:
    command = [sys.executable, "-m", "foretell", "chat", "--model", str(default_model_path)]
    done = subprocess.run(
        [*command, "--greedy", "--system", "Answer in one sentence.", "--max-new-tokens", "20"],
        input=b"What is the capital of France?\n",
        capture_output=True,
        check=True,
    )
    assert b"Paris" in done.stdout
