"""The page on the server: its snippets run, and what it lists is all that there is."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

import click
import httpx
import pytest
from support.clients import IS_COMPLETE, RAY_PYTHON
from support.documents import Snippet, commands, printed_by, snippets
from support.served import served
from support.server_fields import PAGE
from support.toy_async import scripted

import foretell.server
from foretell.cli.commands.serve import command
from foretell.hub import DEFAULT_MODEL
from foretell.server.openapi.document import OPERATIONS
from foretell.server.options import ServerOptions

TEXT = PAGE.read_text(encoding="utf-8")
PLACE = "http://127.0.0.1:8000"
SHELL = snippets(PAGE, "sh")
CURL = re.compile(r"^curl (?:'[^']*'|\\\n|[^'\n])*$", re.M)
"""What is quoted may have lines of its own."""
CURLS = [line for one in SHELL for line in CURL.findall(one.code)]
STARTS = [arguments for one in SHELL for arguments in commands(one)]
CLIENTS = ("openai", "langchain_openai", "litellm", "pydantic_ai")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where a toy listens that is called as the page calls its model."""
    make = partial(scripted, context_length=1024, num_blocks=300)  # its tokens are bytes
    with served(make, ServerOptions(model_names=(DEFAULT_MODEL,))) as server:
        yield server.url.removesuffix("/v1")


def at(snippet: Snippet, url: str) -> Snippet:
    return Snippet(snippet.place, snippet.language, snippet.code.replace(PLACE, url), None)


def test_the_snippets_of_clients_run(url: str):
    names: dict[str, Any] = {}  # later snippets go on with earlier ones
    asking = [one for one in snippets(PAGE, "python") if "foretell import" not in one.code]
    assert len(asking) == 5
    for snippet in asking:
        needed = [
            name for name in CLIENTS if re.search(rf"^(from|import) {name}\b", snippet.code, re.M)
        ]
        if IS_COMPLETE or all(map(find_spec, needed)):
            printed = printed_by(at(snippet, url), names)
            assert printed or "assert " in snippet.code
    names["client"].close()
    assert names["again"].usage.completion_tokens > 0


def test_the_snippets_of_applications_run(default_model_path: object):
    names: dict[str, Any] = {}
    own = [one for one in snippets(PAGE, "python") if "foretell import" in one.code]
    printed = [printed_by(one, names) for one in own]
    assert printed == ["", " cat's favorite toy.\n"]


@pytest.mark.skipif(which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("line", CURLS)
def test_each_curl_line_is_answered(line: str, url: str):
    assert PLACE in line
    silent = line.replace("curl ", "curl --silent --show-error --fail --noproxy '*' ", 1)
    found = subprocess.run(
        silent.replace(PLACE, url), shell=True, capture_output=True, text=True, check=True
    )
    assert '"object":' in found.stdout


@pytest.mark.parametrize("arguments", STARTS, ids=" ".join)
def test_each_start_has_options_that_exist(arguments: list[str]):
    assert arguments[0] == "serve"
    context = click.Context(
        command, help_option_names=["-h", "--help"]
    )  # click keeps what it makes
    command.make_parser(context).parse_args(arguments[1:])


def test_each_option_that_is_named_exists():
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {
        "--help",
        "--backend",
    }
    prose = re.sub(r"^```.*?^```$", "", TEXT, flags=re.M | re.S)
    assert set(re.findall(r"`(?:foretell serve )?(--[a-z-]+)", prose)) <= known


def test_it_has_each_route():
    paths = [path.removeprefix("/v1/foretell") for path in OPERATIONS]
    assert [path for path in paths if f"{path}`" not in TEXT] == []


def test_it_has_each_error():
    rows = re.findall(r"^\| ([45]\d\d(?:, \d{3})*) \| (?:`(\w+)`)? ?\|", TEXT, re.M)
    statuses = {status for row, _ in rows for status in row.split(", ")}
    told = {code for _, code in rows if code}
    files = Path(foretell.server.__file__).parent.rglob("*.py")
    sources = "".join(file.read_text(encoding="utf-8") for file in files)
    assert set(re.findall(r"ApiError\(\s*(\d{3})\b", sources)) <= statuses
    codes = {"unsupported_parameter", *re.findall(r'code="(\w+)"', sources)}
    codes |= set(re.findall(r'return "(\w+)"', sources.split("def _code")[1].split("\ndef ")[0]))
    assert told >= codes
    assert [code for code in told if f'"{code}"' not in sources] == []


@pytest.mark.skipif(bool(RAY_PYTHON), reason="on Ray the page has no metrics of engines")
def test_its_metrics_are_those_that_are_told(url: str):
    told = httpx.get(f"{url}/metrics", trust_env=False).text
    there = set(re.findall(r"^# TYPE (\S+) ", told, re.M))
    names = set(re.findall(r"foretell:\w+", TEXT))
    table = TEXT.split("| metric | |\n")[1].split("\n\n")[0]
    names |= {f"foretell:{name}" for name in re.findall(r"`([a-z0-9_]{8,})`", table)} - {
        "foretell:finished_reason"
    }
    names = {re.sub("_bucket$", "", name) for name in names}
    assert names <= there
    assert {name for name in there if name.startswith("foretell:")} <= names
