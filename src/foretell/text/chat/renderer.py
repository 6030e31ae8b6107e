"""The process that renders chat templates: one that stays for as long as it behaves.

    answer = RENDERER.answer(job, setup, max_seconds=20)

It is started by the first job, and ends with this process, whatever ends that: its end of their
socket is closed then. Whoever is killed, hangs or answers nonsense is replaced for the next job.
`template_worker.py` is its other end; a message is a length of 8 bytes and that much JSON.
"""

from __future__ import annotations

import atexit
import errno
import json
import math
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foretell.errors import BusyError, ForetellError, RequestError
from foretell.text.chat.template_worker import NO_MEMORY

Answer = dict[str, str]
"""`{"text": ...}`, or `{"error": kind, "reason": ...}`."""

MAX_ANSWER_BYTES = 2**28

_LENGTH = struct.Struct(">Q")
_MAY_BE_ANOTHERS = ("size", "worker", "ended")
"""Kinds of errors that an earlier job may have caused; a killer, also without one."""

_FATAL = ("time", *_MAY_BE_ANOTHERS)
"""Kinds of errors that no process outlives."""


PATIENCE = 10.0
"""Seconds from which on nobody waits behind a job: no job takes so long that is not starved.

Behind one for which a process is started they wait until it is given up.
"""

STANDS_STILL = "the process that renders chat templates stands still: try again later"

_NO_MEANS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)


class Renderer:
    """Keeps one process that renders, for all threads in turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._began = math.inf

    def answer(
        self, job: Mapping[str, Any], setup: Mapping[str, Any], *, max_seconds: float
    ) -> Answer:
        """What the process answers to a job; a process that was ended has exceeded a limit.

        Args:
            job: what is to be rendered, see `template_worker.reply`.
            setup: what a process is told at its start, see `template_worker.start`.
            max_seconds: when a process is given up, its start included.

        Raises:
            RequestError: no process can be started.
            BusyError: not at the moment, or the job before stands still.
        """
        hello, message = _pack(setup), _pack(job)
        if sys.platform == "win32":  # its sockets are nobody's stdin
            return answer_once(hello + message, max_seconds)
        self._take_turn()
        try:
            was_used = self._process is not None
            answer = self._ask(hello, message, max_seconds)
            kind = answer.get("error")
            if kind == "ended" or (was_used and kind in _MAY_BE_ANOTHERS):
                answer = self._ask(hello, message, max_seconds)  # by a process with no past
        finally:
            self._began = math.inf
            self._lock.release()
        return answer

    def _take_turn(self) -> None:
        """Wait for the jobs before, unless one of them stands still: BusyError."""
        has_turn = False
        while not has_turn:
            if time.monotonic() - self._began > PATIENCE:
                raise BusyError(STANDS_STILL)
            has_turn = self._lock.acquire(timeout=PATIENCE / 10)
        self._began = time.monotonic()

    def _ask(self, hello: bytes, message: bytes, max_seconds: float) -> Answer:
        deadline = time.monotonic() + max_seconds
        if self._process is None:
            self._process = _Process()
            self._began = deadline - PATIENCE
            message = hello + message
        process = self._process
        answer: Answer | None = None
        try:
            answer = process.ask(message, deadline)
        except TimeoutError:
            return {"error": "still", "reason": ""}
        finally:  # Ctrl-C may come at any time; half an answer must not be another job's
            if answer is None or answer.get("error") in _FATAL:
                self._process = None
                process.end()
        return answer

    def close(self) -> None:
        """End the process; the next job starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def forget(self) -> None:
        """In a fork, leave the process to the parent."""
        process, self._process = self._process, None
        self._lock, self._began = threading.Lock(), math.inf
        if process is not None:
            process.abandon()


class _Process:
    """One process, and this end of the socket between."""

    def __init__(self) -> None:
        try:
            self._socket, theirs = socket.socketpair()
        except OSError as error:
            raise _start_error(error) from error
        try:
            self._popen = subprocess.Popen(
                _command(),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C in the terminal is this process's to answer
            )
        except OSError as error:
            self._socket.close()
            raise _start_error(error) from error
        finally:
            theirs.close()

    def ask(self, message: bytes, deadline: float) -> Answer:
        """Send a message and read the answer; TimeoutError if that takes too long."""
        try:
            self._socket.settimeout(_until(deadline))
            self._socket.sendall(message)
            data = self._receive(deadline)
        except ConnectionError:
            data = None
        if data is None:
            return self._post_mortem(deadline)
        self._close_stderr()  # it started well
        return _read(data)

    def _receive(self, deadline: float) -> bytearray | None:
        """The next message; None if the process has ended."""
        data = bytearray()
        size = _LENGTH.size
        while len(data) < size:
            self._socket.settimeout(_until(deadline))
            piece = self._socket.recv(min(size - len(data), 2**20))
            if not piece:
                return None
            data += piece
            if len(data) == _LENGTH.size:
                size += min(_LENGTH.unpack(data)[0], MAX_ANSWER_BYTES)
        return data

    def _post_mortem(self, deadline: float) -> Answer:
        try:
            code = self._popen.wait(_until(deadline))
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        stderr = self._popen.stderr
        return _explain(code, b"" if stderr is None or stderr.closed else stderr.read())

    def end(self) -> None:
        """Kill the process, which has nothing to lose, and leave nothing of it."""
        self._socket.close()
        self._popen.kill()
        self._popen.wait()
        self._close_stderr()

    def abandon(self) -> None:
        """Close what a fork has inherited; the process is another's child."""
        self._socket.close()
        self._close_stderr()
        self._popen.returncode = 0

    def _close_stderr(self) -> None:
        if self._popen.stderr is not None:
            self._popen.stderr.close()


def answer_once(messages: bytes, max_seconds: float) -> Answer:
    """What a process answers that is started for these messages, and ends with them."""
    try:
        done = subprocess.run(
            _command(), input=messages, capture_output=True, timeout=max_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": "time", "reason": ""}
    except OSError as error:
        raise _start_error(error) from error
    return _read(done.stdout) if done.stdout else _explain(done.returncode, done.stderr)


def _command() -> list[str]:
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("template_worker.py"))]


def _start_error(error: OSError) -> ForetellError:
    if error.errno in _NO_MEANS:
        return BusyError(f"the chat template cannot be rendered now: {error}")
    return RequestError(f"the chat template cannot be rendered: {error}")


def _until(deadline: float) -> float:
    """Seconds left, never none at all: a socket would not wait, and call that another error."""
    return max(deadline - time.monotonic(), 1e-6)


def _pack(message: Mapping[str, Any]) -> bytes:
    data = json.dumps(message).encode()
    return _LENGTH.pack(len(data)) + data


def _read(data: bytes | bytearray) -> Answer:
    """The answer in a message, its length included."""
    try:
        answer = json.loads(data[_LENGTH.size :])
    except (ValueError, RecursionError):
        answer = None
    is_answer = isinstance(answer, dict) and answer.keys() in ({"text"}, {"error", "reason"})
    if not is_answer or not all(isinstance(value, str) for value in answer.values()):
        return {"error": "worker", "reason": "the process that renders answers nonsense"}
    return dict(answer)


def _explain(code: int, stderr: bytes) -> Answer:
    """Why a process answered nothing: a signal ended it, or Python itself failed there."""
    if code < 0:
        ended_by_clock = signal.Signals(-code).name == "SIGPROF"
        kind = "time" if ended_by_clock else "ended"
        return {"error": kind, "reason": f"its rendering was ended by signal {-code}"}
    if code == NO_MEMORY:
        return {"error": "size", "reason": ""}
    lines = stderr.decode(errors="replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), f"exit code {code}")
    return {"error": "size" if "MemoryError" in last else "worker", "reason": last}


RENDERER = Renderer()
atexit.register(RENDERER.close)
if sys.platform != "win32":
    os.register_at_fork(after_in_child=RENDERER.forget)
