"""`foretell serve` as a process: it listens, serves, drains, aborts, and says why it cannot."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.toy_process import Served, served

from foretell.cli.serving.keys import read_keys
from foretell.errors import ConfigError

COMPLETIONS = "/v1/completions"
LABELS = 'engine="0",model_name="toy"'
SHORT = {"prompt": "the cat", "max_tokens": 3, "temperature": 0}
LONG = {**SHORT, "max_tokens": 40, "stream": True}  # takes 0.8 s
ENDLESS = {**LONG, "max_tokens": 240, "ignore_eos": True}  # 5 s


class Stream:
    """A stream that is read by a thread of its own."""

    def __init__(self, server: Served, body: dict[str, Any]) -> None:
        self._client = server.client()
        self._body = body
        self.text = ""
        self.error: Exception | None = None
        self.has_begun = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        assert self.has_begun.wait(30)
        assert self.has_tokens, self.text

    @property
    def has_tokens(self) -> bool:
        return '"text":' in self.text

    def _read(self) -> None:
        try:
            with self._client.stream("POST", COMPLETIONS, json=self._body) as response:
                for piece in response.iter_text():
                    self.text += piece
                    if self.has_tokens:
                        self.has_begun.set()
        except Exception as error:  # noqa: BLE001  the test looks at it
            self.error = error
        self.has_begun.set()

    def ended(self) -> str:
        self._thread.join(30)
        self._client.close()
        return self.text


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """One that nobody ends."""
    with served("toy", FORETELL_API_KEY="abc") as one:
        yield one


def test_it_says_where_it_listens_and_with_which_model():
    with served("toy") as one:
        said = "".join(one.lines)
        assert f"foretell: loading toy, listening at {one.url}\n" in said
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", one.url)
        example = one.read_until("try: ").partition("try: ")[2]
        done = subprocess.run(
            [*shlex.split(example), "--silent", "--noproxy", "*"], capture_output=True, check=True
        )
        answer = json.loads(done.stdout)
        assert answer["object"] == "chat.completion"
        assert answer["model"] == "toy"


def test_the_example_has_the_name_of_the_key_and_not_the_key(server):
    example = server.read_until("try: ")
    assert "Bearer $FORETELL_API_KEY" in example
    assert "abc" not in "".join(server.lines)


def test_a_key_of_the_environment_is_asked_for(server):
    with server.client() as client:
        assert client.post(COMPLETIONS, json=SHORT).status_code == 401
        key = {"authorization": "Bearer abc"}
        assert client.post(COMPLETIONS, json=SHORT, headers=key).status_code == 200
        assert client.get("/ready").status_code == 200


def test_it_is_called_by_its_own_names_alone(server):
    with server.client() as client:
        assert client.get("/health", headers={"host": "evil.example"}).status_code == 421
        assert client.get("/health", headers={"host": "localhost:1"}).status_code == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 100_000, 431),
    ],
)
def test_what_is_no_request_is_answered_in_the_form_of_openai(server, sent, status):
    address = httpx.URL(server.url)
    with socket.create_connection((address.host, address.port), timeout=30) as caller:
        caller.sendall(sent)
        received = b""
        while part := caller.recv(65536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    assert int(head.split()[1]) in (400, status)
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


def test_a_connection_is_kept(server):
    with server.client() as client:
        first = client.get("/health").extensions["network_stream"]
        again = client.get("/health").extensions["network_stream"]
        port = [one.get_extra_info("client_addr") for one in (first, again)]
        assert port[0] == port[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_lets_a_stream_end(number):
    with served("toy") as one:
        stream = Stream(one, LONG)
        with one.client() as client:
            assert client.get("/health").status_code == 200
            one.signal(number)
            one.read_until(signal.Signals(number).name)
            assert client.get("/ready").status_code == 503
            late = client.post(COMPLETIONS, json=SHORT)
        assert late.status_code == 503
        assert late.headers["connection"] == "close"
        assert late.json()["error"]["message"] == "the server is shutting down"
        assert stream.ended().endswith("data: [DONE]\n\n")
        assert stream.text.count('"text"') > 10
        assert one.ended() == 0


def test_it_serves_on_for_a_while():
    with served("toy", "--drain-delay", "1.5") as one, one.client() as client:
        one.signal()
        one.read_until("SIGTERM")
        assert client.get("/ready").status_code == 503
        assert client.get("/health").status_code == 200
        answer = client.post(COMPLETIONS, json=SHORT)
        assert answer.status_code == 200
        assert answer.headers["connection"] == "close"
        assert one.ended() == 0


def test_what_does_not_end_in_time_is_ended_with_an_error():
    with served("toy", "--shutdown-timeout", "0.2") as one:
        stream = Stream(one, ENDLESS)
        whole: list[httpx.Response] = []
        body = {**ENDLESS, "stream": False}
        with one.client() as client:
            asking = threading.Thread(
                target=lambda: whole.append(client.post(COMPLETIONS, json=body))
            )
            asking.start()
            while "num_requests_running{" + LABELS + "} 2" not in client.get("/metrics").text:
                time.sleep(0.01)
            one.signal()
            asking.join(30)
        last = stream.ended().split("\n\n")[-2]
        assert set(json.loads(last.removeprefix("data: "))) == {"error"}
        assert "[DONE]" not in stream.text
        assert stream.error is None
        assert whole[0].status_code == 503
        assert whole[0].json()["error"]["type"] == "service_unavailable_error"
        assert one.ended() == 0
        assert "2 of the requests did not end in time" in "".join(one.lines)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(number):
    with served("toy") as one:
        stream = Stream(one, ENDLESS)
        one.signal(signal.SIGTERM)
        one.read_until("SIGTERM")
        one.signal(number)
        assert one.ended() == 128 + number
        assert "[DONE]" not in stream.ended()


def test_while_it_loads_it_answers_and_ends_at_once():
    with served("eternal", until="listening") as one, one.client() as client:
        for path, status in [("/health", 503), ("/ready", 503), ("/metrics", 200)]:
            assert client.get(path).status_code == status
        answer = client.post(COMPLETIONS, json=SHORT)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        one.signal()
        assert one.ended() == 128 + signal.SIGTERM


def test_a_model_that_cannot_be_loaded_is_one_line():
    one = Served("absent", "--port", "0")
    assert one.ended() == 1
    (error,) = [line for line in one.lines if "error" in line]
    assert error.startswith("foretell: error: ")
    assert "absent" in error
    assert "Traceback" not in "".join(one.lines)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="files are told there")
def test_closed_streams_do_not_become_sockets(tmp_path):
    path = tmp_path / "socket"
    command = [sys.executable, "-m", "support.toy_process", "serve", "toy", "--uds", str(path)]
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(shell, env=environment) as process:
        try:
            deadline = time.monotonic() + 30
            while not path.exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            transport = httpx.HTTPTransport(uds=str(path))
            with httpx.Client(transport=transport, base_url="http://any.name") as client:
                assert client.get("/version").status_code in (200, 503)
                opened = {os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)}
            assert opened == {os.devnull}
            process.terminate()
            assert process.wait(30) in (0, 128 + signal.SIGTERM)
        finally:
            process.kill()


def test_json_lines_are_all_json(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("one\n\ntwo\n")
    arguments = ("toy", "--log-format", "json", "--api-key-file", str(keys))
    with served(*arguments) as one:
        url = json.loads(one.lines[-1])["url"]
        key = {"authorization": "Bearer two", "x-request-id": "mine"}
        assert httpx.get(f"{url}/version", headers=key, trust_env=False).status_code == 200
        one.read_until("mine")
        one.signal()
        assert one.ended() == 0
    events = [json.loads(line) for line in one.lines]
    assert [event.get("path") for event in events if event.get("id") == "mine"] == ["/version"]


def test_it_listens_at_a_unix_socket(tmp_path):
    path = tmp_path / "socket"
    for _ in range(2):  # the second one finds what a killed server has left
        with served("toy", "--uds", str(path)) as one:
            transport = httpx.HTTPTransport(uds=str(path))
            with httpx.Client(transport=transport, base_url="http://any.name") as client:
                assert client.post(COMPLETIONS, json=SHORT).status_code == 200
            example = one.read_until("try: ")
            assert f"--unix-socket {path}" in example
            beside = Served("toy", "--uds", str(path))
            assert beside.ended() == 1
            one.process.kill()
    with served("toy", "--uds", str(path)) as one:
        one.signal()
        assert one.ended() == 0
    assert not path.exists()


# What cannot be served


def refused(shell: Any, *arguments: str) -> str:
    result = shell.run("serve", *arguments)
    assert result.code != 0
    assert result.out == ""
    (line,) = result.err.splitlines()
    return f"{result.code} {line}"


def test_a_port_that_is_taken_is_told(shell):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told = refused(shell, "--port", str(port))
    assert told.startswith(f"1 foretell: error: 127.0.0.1:{port}: another program listens there")


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.1", "this machine has no such address"),
        ("no.such.name.invalid", "no address has this name"),
        ("a..b", "no address has this name"),
    ],
)
def test_an_address_of_others_is_told(shell, host, reason):
    assert reason in refused(shell, "--host", host, "--insecure")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_others_need_a_key_or_it_is_said_outright(shell, host):
    told = refused(shell, "--host", host)
    assert "--api-key-file" in told
    assert "--insecure" in told
    assert told.startswith("2 ")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("a", "--model", "b"), "give MODEL or --model, not both"),
        (("--api-key", ""), "--api-key has a key that is not a word"),
        (("--api-key", "a b"), "--api-key has a key that is not a word"),
        (("--api-key", "ü"), "--api-key has a key that is not a word"),
        (("--api-key-file", "/no/file"), "/no/file: No such file"),
        (("--api-key-file", os.devnull), "has no key"),
        (("--port", "70000"), "--port"),
        (("--preset", "nonsense"), "--preset"),
        (("--drain-delay", "-1"), "--drain-delay"),
        (("--uds", "/no/such/folder/socket"), "/no/such/folder/socket: No such file"),
        (("--host", ""), "--host"),
        (("--host", "local\nhost"), "--host"),
        (("--shutdown-timeout", "nan"), "--shutdown-timeout"),
        (("--drain-delay", "nan"), "--drain-delay"),
        (("--cors-origin", "evil"), "cors_origins has"),
        (("--cors-origin", "https://a.b/c"), "cors_origins has"),
        (("--cors-origin", "https://a.b:443"), "cors_origins has"),
        (("--allowed-host", "http://x"), "allowed_hosts has"),
        (("--allowed-host", "a.*.b"), "allowed_hosts has"),
        (("--allowed-host", ""), "allowed_hosts has"),
        (("--served-model-name", "a\r\nb"), "--served-model-name"),
        (("--served-model-name", " "), "--served-model-name"),
    ],
)
def test_nonsense_is_refused_before_anything_is_loaded(shell, arguments, reason):
    assert reason in refused(shell, *arguments)


def test_a_file_of_keys_may_have_comments_and_a_bad_line_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("FORETELL_API_KEY", raising=False)
    file = tmp_path / "keys"
    file.write_text("# those of the team\n\none\n  # and\n two \n")
    assert read_keys(("zero",), file) == ("zero", "one", "two")
    file.write_text("# only this\n")
    with pytest.raises(ConfigError, match="has no key"):
        read_keys((), file)
    file.write_text("# first\none\ntwo words\n")
    with pytest.raises(ConfigError, match=r"^line 3 of \S+ has a key that is not a word"):
        read_keys((), file)


def test_a_bad_model_is_told_without_a_word_of_listening(tmp_path):
    command = [sys.executable, "-m", "foretell", "serve", "--port", "0", "no-such-model"]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("foretell: error: ")


def test_an_empty_key_of_the_environment_opens_nothing(shell, monkeypatch):
    monkeypatch.setenv("FORETELL_API_KEY", "")
    assert "$FORETELL_API_KEY has a key that is not a word" in refused(shell)


def test_what_is_missing_is_named_with_how_to_install_it(shell, monkeypatch):
    monkeypatch.setattr("foretell.cli.serving.start.NEEDED", ("uvicorn", "no_such_package"))
    assert re.search(r"needs no_such_package: run pip install .*starlette", refused(shell))


def test_a_file_is_called_by_its_name(shell, monkeypatch, tmp_path):
    from foretell.cli.commands import serve

    options: list[Any] = []
    monkeypatch.setattr(serve, "start", lambda *given: options.append(given))
    file = tmp_path / "tiny.gguf"
    file.touch()
    for arguments in [(str(file),), ("org/name:f.gguf",), ("--served-model-name", "x")]:
        assert shell.run("serve", "--port", "0", *arguments).code == 0
    names = [given[1].model_names for given in options]
    assert names == [("tiny",), ("org/name:f.gguf",), ("x",)]
    for _, _, listeners in options:
        listeners.close()


def test_the_options_reach_the_server_and_the_model(shell, monkeypatch):
    from foretell.cli.commands import serve

    given: list[Any] = []
    monkeypatch.setattr(serve, "start", lambda *what: given.extend(what))
    arguments = (
        *("--host", "localhost", "--port", "0", "--max-waiting", "7", "--max-running", "3"),
        *("--threads", "2", "--cors-origin", "https://a.b", "--allowed-host", "me", "--strict"),
        *(
            "--preset",
            "greedy",
            "--log-prompts",
            "--log-probes",
            "--api-key",
            "k",
            "--api-key",
            "l",
        ),
        *("--drain-delay", "1", "--shutdown-timeout", "2"),
    )
    assert shell.run("serve", "gemma-3-270m", *arguments).code == 0
    model, options, listeners = given
    listeners.close()
    assert model.name == "gemma-3-270m"
    assert model.settings == {"threads": 2, "max_waiting": 7, "max_running": 3}
    assert options.api_keys == ("k", "l")
    assert options.cors_origins == ("https://a.b",)
    assert options.allowed_hosts == ("localhost", "127.0.0.1", "[::1]", "me")
    assert (options.drain_delay, options.shutdown_timeout) == (1, 2)
    assert (options.strict, options.log_prompts, options.log_probes) == (True, True, True)
    assert options.defaults == {"preset": "greedy"}
    assert "k" not in repr(options).split("'")
