"""Which module of the package imports which: at the top, in functions and for types alone."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

Graph = dict[str, set[str]]


def import_graph(package: Path) -> Graph:
    """Modules by their full names, and what each imports of the package."""
    files = {_name_of(path, package): path for path in package.rglob("*.py")}
    return {name: set(_imports(path, name, files.keys())) - {name} for name, path in files.items()}


def circles(graph: Graph) -> list[list[str]]:
    """Modules that reach each other, a list for each such group; sorted."""
    reach = {name: _reached(graph, name) for name in graph}
    groups = {tuple(sorted({a} | {b for b in reach[a] if a in reach[b]})) for a in graph}
    return sorted(list(group) for group in groups if len(group) > 1)


def _name_of(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, name: str, known: Iterable[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else node.module


def _reached(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for name in graph[waiting.pop()] - found:
            found.add(name)
            waiting.append(name)
    return found
