"""Writes into `docs/server.md` what becomes of a request's fields, from the server's tables.

make fields
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import foretell
from foretell.config.settings import GROUPS, SETTINGS
from foretell.server.fields import FORM_FIELDS, HARMLESS, NEUTRAL, OWN, RENAMED, SENDABLE
from foretell.server.openapi.document import OPERATIONS
from foretell.server.openapi.requests import TAKES_NO_SETTINGS
from foretell.server.sorting import reason_of

PAGE = Path(foretell.__file__).parents[2] / "docs" / "server.md"
VIEWS = "/v1/foretell/"
HEADS = ("field", "what it says")
MARKED = re.compile(r"(<!-- fields -->\n)(.*?)(<!-- /fields -->)", re.DOTALL)


def tables() -> str:
    """All of the section, as Markdown."""
    return "\n".join((*_honoured(), *_settings(), *_refused(), *_without_effect()))


def _honoured() -> Iterator[str]:
    """The fields that are a route's own; those that all views have alike stand once."""
    yield "### Honoured: what a route takes of its own\n"
    routes = {path: one for path, one in OPERATIONS.items() if one.route}
    views = {path for path, one in routes.items() if _is_view(path, one.route)}
    prompts = [OWN[routes[path].route] for path in views]
    shared = {name: what for name, what in OWN["next"].items() if all(name in p for p in prompts)}
    yield f"**Every `{VIEWS}…`** that is of a prompt takes these:\n"
    yield from _table(HEADS, [(_code(name), what) for name, what in shared.items()])
    for path, operation in routes.items():
        known = shared if path in views else {}
        settings = "" if operation.route not in TAKES_NO_SETTINGS else " It takes no settings."
        yield f"**`{path}`**: {operation.summary[0].lower()}{operation.summary[1:]}.{settings}\n"
        fields = [(n, what) for n, what in OWN[operation.route].items() if n not in known]
        if fields:
            yield from _table(HEADS, [(_code(name), what) for name, what in fields])


def _is_view(path: str, route: str) -> bool:
    return path.startswith(VIEWS) and "prompt" in OWN[route]


def _settings() -> Iterator[str]:
    """The settings, and their other names."""
    yield "### Honoured: settings\n"
    yield "Each under its own name; `foretell guide NAME` says what it does and which values it"
    yield "takes. Those that follow have a second name:\n"
    renamed = [(_code(name), _code(setting)) for name, setting in RENAMED.items()]
    yield from _table(("field", "setting"), renamed)
    yield "These stand for settings of structured output:\n"
    yield from _table(HEADS, [(_code(name), what) for name, what in FORM_FIELDS.items()])
    groups: dict[str, list[str]] = {}
    for name in SENDABLE:
        groups.setdefault(SETTINGS[name].group, []).append(_code(name))
    rows = [(group, ", ".join(groups[group])) for group in GROUPS if group in groups]
    yield from _table(("of", "settings"), rows)


def _refused() -> Iterator[str]:
    """The fields that would change the text, and are not supported."""
    yield "### Refused by name\n"
    yield "They would change the text or the answer. The error names the field (`param`); its code"
    yield "is `unsupported_parameter`. A value that asks for nothing is accepted. So are functions,"
    yield "which cannot be sent, and settings by the names of other systems: the error tells the"
    yield "name that is right here.\n"
    heads = ("field", "accepted", "why it is refused otherwise")
    rows = [(_code(name), _values(NEUTRAL[name]), reason_of(name) or "") for name in NEUTRAL]
    yield from _table(heads, rows)


def _without_effect() -> Iterator[str]:
    """The fields that are accepted, and change nothing."""
    yield "### Accepted, without effect\n"
    about: dict[str, list[str]] = {}
    for name, what in HARMLESS.items():
        about.setdefault(what, []).append(_code(name))
    rows = [(", ".join(names), what) for what, names in about.items()]
    yield from _table(("fields", "what they are about"), rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def _code(name: str) -> str:
    return f"`{name}`"


def _values(values: Sequence[Any]) -> str:
    return ", ".join(_code(json.dumps(value)) for value in values) or "null alone"


def written(page: str) -> str:
    """A page with the tables between its marks."""
    return MARKED.sub(lambda found: f"{found[1]}{tables()}{found[3]}", page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
