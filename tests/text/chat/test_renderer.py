"""The process that renders: kept while it behaves, replaced when it does not, never left behind."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from foretell.errors import BusyError, ModelFileError, RequestError
from foretell.text.chat import renderer as module
from foretell.text.chat import template as chat_template
from foretell.text.chat.renderer import RENDERER, Answer, Renderer
from foretell.text.chat.template import ChatTemplate

posix = pytest.mark.skipif(sys.platform == "win32", reason="a process a job there")

USER = {"role": "user", "content": "hi"}
SETUP = {"path": sys.path, "max_bytes": 2**29}


@pytest.fixture
def renderer() -> Iterator[Renderer]:
    made = Renderer()
    yield made
    made.close()


@pytest.fixture
def _nobody_renders_yet() -> Iterator[None]:
    RENDERER.close()
    yield
    RENDERER.close()


def job(source: str = "{{ x }}", x: object = "a", max_seconds: float = 1.0) -> dict[str, Any]:
    limits = {"max_seconds": max_seconds, "max_characters": 1000}
    return {"source": source, "context": {"x": x}, **limits}


def ask(renderer: Renderer, *args: Any, **limits: Any) -> Answer:
    return renderer.answer(job(*args, **limits), SETUP, max_seconds=20)


def pid_of(renderer: Renderer) -> int:
    process = renderer._process
    assert process is not None
    return process._popen.pid


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(pid: int) -> None:
    for _ in range(3000):
        if not is_alive(pid):
            return
        time.sleep(0.01)
    raise AssertionError(f"process {pid} lives on")


@posix
def test_one_process_answers_all_jobs(renderer: Renderer) -> None:
    assert ask(renderer) == {"text": "a"}
    first = pid_of(renderer)
    assert ask(renderer, "{{ x }}", "b") == {"text": "b"}
    assert ask(renderer, "{% if %}")["error"] == "template"
    assert ask(renderer, "{{ raise_exception('no') }}")["error"] == "refused"
    assert ask(renderer, "고{{ x }}", "\U0001f408\0") == {"text": "고\U0001f408\0"}
    assert pid_of(renderer) == first


@posix
def test_threads_take_turns(renderer: Renderer) -> None:
    found: dict[int, list[Answer]] = {}

    def run(index: int) -> None:
        sources = [f"{index}/{i % 12}: {{{{ x }}}}" for i in range(24)]
        found[index] = [ask(renderer, source, "é" * i) for i, source in enumerate(sources)]

    threads = [threading.Thread(target=run, args=[index]) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in range(6):
        assert found[index] == [{"text": f"{index}/{i % 12}: " + "é" * i} for i in range(24)]


@posix
@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("{{ 9 ** (9 ** 9) }}", "time"),
        ("{{ 'a' * 10 ** 10 }}", "size"),
        ("{{ 'a' * 1001 }}", "size"),
    ],
)
def test_a_job_that_exceeds_a_limit_hurts_no_other(
    renderer: Renderer, source: str, error: str
) -> None:
    for _ in range(2):
        assert ask(renderer, source, max_seconds=0.3)["error"] == error
        assert ask(renderer) == {"text": "a"}


@posix
def test_a_job_too_large_to_be_read_is_refused(renderer: Renderer) -> None:
    setup = {**SETUP, "max_bytes": 2**27}
    assert renderer.answer(job(), setup, max_seconds=20) == {"text": "a"}
    large = job(x="a" * 2**27)
    assert renderer.answer(large, setup, max_seconds=20) == {"error": "size", "reason": ""}
    assert renderer.answer(job(), setup, max_seconds=20) == {"text": "a"}


@posix
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is told there")
def test_a_process_that_keeps_much_memory_is_replaced(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(Path(module.__file__).parent)
    program = f"import sys; sys.path.append({folder!r}); import template_worker as worker; "
    program += "worker.MAX_KEPT_BYTES = 10; worker.main()"
    monkeypatch.setattr(module, "_command", lambda: [sys.executable, "-I", "-S", "-c", program])
    pids = []
    for text in ("a", "b", "c"):
        assert ask(renderer, x=text) == {"text": text}
        pids.append(pid_of(renderer))
        wait_until_gone(pids[-1])
    assert len(set(pids)) == 3


@posix
def test_the_clock_is_wound_up_for_each_job_and_stands_still_between(renderer: Renderer) -> None:
    source = "{% for a in range(30000) %}{{ '' }}{% endfor %}{{ x }}"
    for _ in range(40):
        assert ask(renderer, source, max_seconds=0.5) == {"text": "a"}


@posix
@pytest.mark.parametrize("ending", ["SIGKILL", "SIGSEGV", "SIGUSR1"])
def test_a_process_that_was_killed_is_replaced(renderer: Renderer, ending: str) -> None:
    assert ask(renderer) == {"text": "a"}
    first = pid_of(renderer)
    os.kill(first, getattr(signal, ending))
    wait_until_gone(first)
    assert ask(renderer) == {"text": "a"}
    assert pid_of(renderer) != first
    with pytest.raises(ChildProcessError):  # no zombie is left of it
        os.waitpid(first, os.WNOHANG)


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_to_the_whole_group_are_the_parents_to_answer(
    renderer: Renderer, name: str
) -> None:
    ask(renderer)
    first = pid_of(renderer)
    os.kill(first, getattr(signal, name))
    assert ask(renderer) == {"text": "a"}
    assert pid_of(renderer) == first
    assert os.getpgid(first) != os.getpgrp()


@posix
def test_an_interrupted_job_leaves_no_answer_to_another(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    ask(renderer)
    first = pid_of(renderer)
    monkeypatch.setattr(module._Process, "_receive", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ask(renderer, "{{ x }}", "of the first")
    monkeypatch.undo()
    assert not is_alive(first)
    assert ask(renderer, "{{ x }}", "of the second") == {"text": "of the second"}


PROGRAM = """
import json, os, sys, time
def read():
    size = int.from_bytes(sys.stdin.buffer.read(8), "big")
    return json.loads(sys.stdin.buffer.read(size))
def say(data, size=None):
    sys.stdout.buffer.write((size or len(data)).to_bytes(8, "big") + data)
    sys.stdout.buffer.flush()
read(), read()
"""
GOOD = 'say(b\'{"text": "good"}\'); read()\n'
FAULTS = {
    "size": 'say(b\'{"error": "size", "reason": ""}\'); read()',
    "worker": 'say(b\'{"error": "worker", "reason": ""}\'); read()',
    "no JSON": "say(b'{\"text\": '); read()",
    "not Unicode": "say(b'\\xff\"'); read()",
    "deep": "say(b'[' * 10**6); read()",
    "no answer": "say(b'[1]'); read()",
    "another type": "say(b'{\"text\": 3}'); read()",
    "half an answer": "say(b'{\"text\"', 99)",
    "silence": "",
    "an error": "raise MemoryError",
    "an exit code": "os._exit(3)",
    "a signal": "os.kill(os.getpid(), 11)",
}


def run_instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let processes that render be another program, which has read a job already."""
    command = [sys.executable, "-I", "-S", "-c", PROGRAM + program]
    monkeypatch.setattr(module, "_command", lambda: command)


@posix
@pytest.mark.parametrize("fault", FAULTS)
def test_a_process_with_a_past_that_fails_is_replaced_at_once(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    run_instead(monkeypatch, GOOD + FAULTS[fault])
    assert ask(renderer) == {"text": "good"}
    first = pid_of(renderer)
    assert ask(renderer) == {"text": "good"}
    assert pid_of(renderer) != first
    assert not is_alive(first)


@posix
@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        ("size", "size", ""),
        ("no JSON", "worker", "the process that renders answers nonsense"),
        ("deep", "worker", "the process that renders answers nonsense"),
        ("another type", "worker", "the process that renders answers nonsense"),
        ("half an answer", "worker", "exit code 0"),
        ("silence", "worker", "exit code 0"),
        ("an error", "size", "MemoryError"),
        ("an exit code", "worker", "exit code 3"),
        ("a signal", "ended", "its rendering was ended by signal 11"),
    ],
)
def test_a_process_without_a_past_that_fails_is_believed(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch, fault: str, kind: str, reason: str
) -> None:
    run_instead(monkeypatch, FAULTS[fault])
    assert ask(renderer) == {"error": kind, "reason": reason}
    monkeypatch.undo()
    assert ask(renderer) == {"text": "a"}


@posix
@pytest.mark.parametrize("program", ["time.sleep(60)", "say(b'', 99); time.sleep(60)"])
def test_a_process_that_hangs_is_killed(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    run_instead(monkeypatch, GOOD + program)
    ask(renderer)
    first = pid_of(renderer)
    found = renderer.answer(job(), SETUP, max_seconds=0.1)
    assert found == {"error": "still", "reason": ""}
    assert not is_alive(first)
    monkeypatch.undo()
    assert ask(renderer) == {"text": "a"}


@posix
def test_a_process_that_does_not_read_is_killed(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_instead(monkeypatch, "time.sleep(60)")
    long = {**job(), "context": {"x": "a" * 2**24}}
    assert renderer.answer(long, SETUP, max_seconds=0.5)["error"] == "still"
    monkeypatch.undo()
    assert ask(renderer) == {"text": "a"}


@posix
def test_nobody_waits_behind_a_job_that_stands_still(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    assert ask(renderer) == {"text": "a"}
    stopped = pid_of(renderer)
    os.kill(stopped, signal.SIGSTOP)
    first = threading.Thread(target=lambda: renderer.answer(job(), SETUP, max_seconds=60))
    first.start()
    while not renderer._lock.locked():
        time.sleep(0.001)
    for _ in range(2):
        with pytest.raises(BusyError, match="stands still"):
            ask(renderer)
    os.kill(stopped, signal.SIGCONT)
    first.join()
    assert ask(renderer) == {"text": "a"}


@posix
def test_a_process_that_starts_slowly_is_waited_for(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    run_instead(monkeypatch, "time.sleep(0.5)\n" + GOOD * 2)
    with ThreadPoolExecutor(2) as pool:
        answers = [*pool.map(lambda _: ask(renderer), range(2))]
    assert answers == [{"text": "good"}] * 2


@posix
def test_a_job_whose_process_is_killed_is_tried_once_more(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: list[int] = []
    ask_process = module._Process.ask

    def ask_and_kill(process: Any, message: bytes, deadline: float) -> Answer:
        pids.append(process._popen.pid)
        if len(pids) in (1, 3, 4):
            os.kill(pids[-1], signal.SIGKILL)
        return ask_process(process, message, deadline)

    monkeypatch.setattr(module._Process, "ask", ask_and_kill)
    assert ask(renderer) == {"text": "a"}
    assert len(pids) == 2
    assert ask(renderer)["error"] == "ended"
    assert len(pids) == 4


@posix
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="files are counted there")
def test_no_file_is_left_open(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for fault in FAULTS.values():
        run_instead(monkeypatch, fault)
        ask(renderer)
    monkeypatch.setattr(module, "_command", lambda: ["/no/such/program"])
    with contextlib.suppress(RequestError):
        ask(renderer)
    monkeypatch.undo()
    ask(renderer)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    renderer.close()
    assert len(os.listdir("/proc/self/fd")) == before


LEFTOVERS = {
    "a variable": ("{% set y = 1 %}{{ y }}", "{{ y is defined }}", "False"),
    "a macro": ("{% macro m() %}{% endmacro %}{{ m() }}", "{{ m is defined }}", "False"),
    "a function's attribute": ("{{ cycler.reset(joiner) }}", "{{ joiner.pos }}", ""),
    "a class's attribute": ("{{ cycler.reset(cycler) }}", "{{ cycler.pos }}", ""),
    "a changed message": ("{{ dict.update(x, {'b': 3}) }}{{ x.b }}", "{{ x.b }}", ""),
    "a false name": ("{% set n = namespace() %}{% set n.__class__ = x %}", "{{ 1 }}", "1"),
    "another false name": ("{{ namespace(__class__=x) }}", "{{ 1 }}", "1"),
}


@pytest.mark.parametrize("name", LEFTOVERS)
def test_a_template_leaves_nothing_to_the_next(renderer: Renderer, name: str) -> None:
    first, second, expected = LEFTOVERS[name]
    for source in (first, second, first, second):
        answer = ask(renderer, source, {"a": 1})
        if source == second:
            assert answer == {"text": expected}
        elif name not in ("a variable", "a macro"):
            assert answer["error"] in ("refused", "template")


def test_what_makes_lists_and_namespaces_works(renderer: Renderer) -> None:
    source = (
        "{% set n = namespace({'a': 1}, b=2) %}{% set n.c = 3 %}{{ n.a }}{{ n.b }}{{ n.c }}"
        "{% set c = cycler('x', 'y') %}{{ c.next() }}{{ c.next() }}{{ c.current }}"
        "{% set j = joiner('|') %}{{ j() }}{{ j() }}{{ dict([('k', 4)], l=5) }}"
    )
    assert ask(renderer, source) == {"text": "123xyx|{'k': 4, 'l': 5}"}


def test_a_process_for_one_job_answers_likewise() -> None:
    """As on Windows, where a socket is nobody's stdin."""
    messages = module._pack(SETUP) + module._pack(job())
    assert module.answer_once(messages, 20) == {"text": "a"}
    assert module.answer_once(messages, 0.001) == {"error": "time", "reason": ""}
    endless = module._pack(SETUP) + module._pack(job("{{ 9 ** (9 ** 9) }}", max_seconds=0.3))
    assert module.answer_once(endless, 20)["error"] == "time"


def test_a_process_for_one_job_that_cannot_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(RequestError, match=r"cannot be rendered: .*No such file"):
        module.answer_once(b"", 20)


# What the user is told.


@pytest.mark.usefixtures("_nobody_renders_yet")
def test_the_parents_clock_stops_a_worker_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_template, "MAX_WALL_SECONDS", 0.001)
    with pytest.raises(BusyError, match="stands still"):
        ChatTemplate("a").render([USER])


@posix
@pytest.mark.usefixtures("_nobody_renders_yet")
def test_a_lack_of_files_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    for owner, name in ((module.socket, "socketpair"), (module.subprocess, "Popen")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, fail)
            with pytest.raises(BusyError, match=r"cannot be rendered now: .*Too many open files"):
                ChatTemplate("a").render([USER])
    assert ChatTemplate("a").render([USER]) == "a"


@pytest.mark.usefixtures("_nobody_renders_yet")
def test_python_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(RequestError, match=r"cannot be rendered: .*No such file"):
        ChatTemplate("a").render([USER])


@pytest.mark.usefixtures("_nobody_renders_yet")
def test_a_worker_without_jinja_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(RequestError, match="cannot be rendered: ModuleNotFoundError"):
        ChatTemplate("a").render([USER])


@posix
@pytest.mark.usefixtures("_nobody_renders_yet")
def test_the_end_of_a_worker_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    run_instead(monkeypatch, FAULTS["a signal"])
    with pytest.raises(ModelFileError, match="is broken: its rendering was ended by signal 11"):
        ChatTemplate("a").render([USER])


# It ends with its parent, whatever ends that.

BEGIN = """
import os, signal, sys, time
from foretell.text.chat.renderer import RENDERER
from foretell.text.chat.template import ChatTemplate
def render(text):
    return ChatTemplate("{{ messages[0].content }}").render([{"role": "user", "content": text}])
def pid():
    return RENDERER._process._popen.pid
assert render("a") == "a"
print(pid(), flush=True)
"""


def run_script(script: str) -> tuple[int, list[int], str]:
    """How a script ends, the process ids that it prints, and what it complains of."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", BEGIN + textwrap.dedent(script)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, start_new_session=True
    )
    return done.returncode, [int(word) for word in done.stdout.split()], done.stderr


@posix
@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("os._exit(4)", 4),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("os.kill(os.getpid(), signal.SIGTERM)", -15),
    ],
)
def test_it_ends_quietly_with_its_parent(script: str, code: int) -> None:
    ended, pids, complaints = run_script(script)
    assert (ended, complaints) == (code, "")
    wait_until_gone(pids[0])


@posix
def test_ctrl_c_ends_it_without_a_word_of_its_own() -> None:
    ended, pids, complaints = run_script("os.killpg(os.getpgrp(), signal.SIGINT)")
    assert ended == -signal.SIGINT
    assert complaints.count("Traceback") == 1  # the parent's
    wait_until_gone(pids[0])


@posix
def test_a_fork_has_a_process_of_its_own() -> None:
    script = """
        before = pid()
        child = os.fork()
        if not child:
            assert RENDERER._process is None
            assert render("b") == "b"
            print(pid(), flush=True)
            sys.exit()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert render("c") == "c"
        assert pid() == before
    """
    ended, pids, complaints = run_script(script)
    assert (ended, complaints) == (0, "")
    assert len(set(pids)) == 2
    for pid in pids:
        wait_until_gone(pid)


@posix
def test_a_fork_that_lives_on_does_not_keep_it_alive() -> None:
    script = """
        if os.fork():
            os.kill(os.getpid(), signal.SIGKILL)
        print(os.getpid(), flush=True)
        for stream in (0, 1, 2):
            os.close(stream)
        time.sleep(60)
    """
    _, (worker, fork), _ = run_script(script)
    wait_until_gone(worker)
    assert is_alive(fork)
    os.kill(fork, signal.SIGKILL)


@posix
def test_a_fork_in_the_middle_of_a_job_waits_for_nobody() -> None:
    script = """
        import threading
        def run():
            ChatTemplate("{% for i in range(90000) %}{{ i }}{% endfor %}").render(
                [{"role": "user", "content": "a"}]
            )
        thread = threading.Thread(target=run)
        thread.start()
        while not RENDERER._lock.locked():
            pass
        child = os.fork()
        if not child:
            os._exit(render("b") != "b")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        thread.join()
        assert render("c") == "c"
    """
    ended, _, complaints = run_script(script)
    assert ended == 0
    assert not [line for line in complaints.splitlines() if "multi-threaded" not in line]
