"""Snippets of the documents: found, run, and held to the output that is printed beside them.

A fenced block is a snippet if its language is `python` or `sh`. If a `text` block comes next, it
is what the snippet prints. `python tests/support/documents.py docs/chapter.md` rewrites
these.
"""

from __future__ import annotations

import io
import re
import shlex
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from foretell.cli.main import cli

SNIPPET = re.compile(
    r"^```(?P<language>python|sh)\n(?P<code>.*?)^```\n(?:\n```text\n(?P<output>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Snippet:
    """A fenced block, where it is, and what is said to be its output (None: nothing is said)."""

    place: str
    language: str
    code: str
    output: str | None


def snippets(path: Path, language: str | None = None) -> list[Snippet]:
    """The snippets of a document, in their order; of one language, if it is named."""
    text = path.read_text(encoding="utf-8")
    found = [
        Snippet(f"{path.name}:{text.count(chr(10), 0, match.start()) + 2}", **match.groupdict())
        for match in SNIPPET.finditer(text)
    ]
    return [snippet for snippet in found if language in (None, snippet.language)]


def commands(snippet: Snippet) -> list[list[str]]:
    """The arguments of each `foretell` line of a shell snippet."""
    lines = [line.split("  #")[0].strip() for line in snippet.code.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("foretell ")]


def printed_by(snippet: Snippet, names: dict[str, Any]) -> str:
    """Run a snippet; a Python one goes on with `names`, which it may change."""
    if snippet.language == "sh":
        return "".join(run_command(arguments) for arguments in commands(snippet))
    code = compile(
        "\n" * (int(snippet.place.split(":")[1]) - 1) + snippet.code, snippet.place, "exec"
    )
    with redirect_stdout(io.StringIO()) as printed:
        exec(code, names)
    return printed.getvalue()


def run_command(arguments: list[str]) -> str:
    """What `foretell` with these arguments prints on stdout; it must succeed."""
    result = CliRunner(env={"COLUMNS": "80"}).invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def tidy(text: str) -> str:
    """The text without blanks at the ends of lines, which editors remove."""
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n"


def rewrite(path: Path) -> None:
    """Replace each output in a document by what its snippet prints now."""
    text = path.read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for snippet in snippets(path):
        printed = tidy(printed_by(snippet, names))
        if snippet.output is not None:
            old = f"```{snippet.language}\n{snippet.code}```\n\n```text\n{snippet.output}```"
            new = f"```{snippet.language}\n{snippet.code}```\n\n```text\n{printed}```"
            text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    rewrite(Path(sys.argv[1]))
