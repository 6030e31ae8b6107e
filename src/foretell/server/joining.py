"""The modules of the page's first view, in one: else a browser would fetch more than a hundred.

    join("main.js", sources)  ->  {"main.js": all of them, "app/html.js": a way to its part, …}

Each module becomes a function that is called once, in the order in which a browser would run them:

    const m1 = (() => { …its code… return { html }; })();

What is fetched later imports such a module by its own name, and gets what the one module has of it.
Modules here are written plainly, and must be: imports and exports at a line's start, no circle of
imports, nothing exported that changes later. What is not so is an error. No text goes over several
lines but markup, to which they mean nothing: indents and empty lines are left out.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from foretell.errors import ForetellError

_COMMENT = re.compile(
    r"^[ \t]*(?:/\*\*(?:(?!\*/).)*\*/[ \t]*|//[^\n]*)\n", re.DOTALL | re.MULTILINE
)
_REST = re.compile(r"(?<=[;,{(\[}]) // [^\n\"`]*$", re.MULTILINE)
_INDENT = re.compile(r"\n\s+")
_CAST = re.compile(r"/\*\* @(?:type|param) [^*\n]*\*/ ?")
_IMPORT = re.compile(r'^import\s+(?:([^"\';]+?)\s+from\s+)?"([^"]+)";[ \t]*\n', re.MULTILINE)
_EXPORTED = re.compile(
    r"^export\s+((?:async\s+)?(?:function\b\s*\*?|class\b|const\b)\s*(\w+))", re.MULTILINE
)
_LISTED = re.compile(r"^export\s+\{([^}]*)\};[ \t]*\n", re.MULTILINE)
_LATER = re.compile(r'\bimport\(\s*"(\.[^"]+)"\s*\)')
_LEFT = re.compile(r"^(?:import\s+[^(\s]|export\b|await\b)[^\n]*", re.MULTILINE)


class JoiningError(ForetellError):
    """A module is written in a way that cannot be joined to others."""


@dataclass(frozen=True)
class _Module:
    """A module's code without its imports and exports.

    Attributes:
        imports: what is imported (`{ a, b as c }`, `* as d` or `e`; "" is nothing), and the path
            of the module that has it, or a library's name.
        exports: the names that it exports.
    """

    code: str
    imports: tuple[tuple[str, str], ...]
    exports: tuple[str, ...]


def without_comments(code: str) -> str:
    """A module without types and comments; lines keep their numbers.

    A comment behind code stays where it has a quotation mark: it may stand in a text.
    """
    code = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), code)
    return _REST.sub("", _CAST.sub("", code))


def join(first: str, sources: Mapping[str, str]) -> dict[str, str]:
    """The module `first` with all that it imports, and for each of these a way to its part.

    Args:
        first: its path; it must lie at the root.
        sources: the code of modules by their paths. Names that are no path are libraries' names.

    Raises:
        JoiningError: a module has what this cannot join, or imports itself by others.
    """
    modules: dict[str, _Module] = {}
    _add(first, sources, modules, ())
    names = {path: f"m{number}" for number, path in enumerate(modules)}
    imported = [name for module in modules.values() for _, name in module.imports]
    libraries = dict.fromkeys(name for name in imported if name not in modules)
    names |= {name: f"l{number}" for number, name in enumerate(libraries)}
    lines = [f'import * as {names[name]} from "{name}";' for name in libraries]
    lines += [_function(path, modules[path], names, libraries) for path in modules]
    parts = ", ".join(f'"{path}": {names[path]}' for path in modules)
    lines.append(f"export const parts = {{ {parts} }};\n")
    ways = {path: _way(path, first, module) for path, module in modules.items()}
    return {**ways, first: _INDENT.sub("\n", "\n".join(lines))}


def imports_of(path: str, code: str) -> Iterator[tuple[str, str]]:
    """What a module imports, and the path of the module that has it, or a library's name."""
    for what, name in _IMPORT.findall(without_comments(code)):
        yield what, _resolve(path, name) if name.startswith(".") else name


def _add(
    path: str, sources: Mapping[str, str], modules: dict[str, _Module], importers: tuple[str, ...]
) -> None:
    """Add a module behind those that it imports."""
    if path in importers:
        raise JoiningError(f"modules import each other: {' → '.join((*importers, path))}")
    if path in modules:
        return
    module = _read(path, sources[path])
    for _, name in module.imports:
        if name in sources:
            _add(name, sources, modules, (*importers, path))
    modules[path] = module


def _read(path: str, code: str) -> _Module:
    imports = tuple(imports_of(path, code))
    code = _IMPORT.sub(lambda found: "\n" * found[0].count("\n"), without_comments(code))
    listed = [name.strip() for names in _LISTED.findall(code) for name in names.split(",")]
    exports = [*(name for _, name in _EXPORTED.findall(code)), *filter(None, listed)]
    code = _EXPORTED.sub(r"\1", _LISTED.sub("\n", code))
    code = _LATER.sub(lambda found: f'import("./{_resolve(path, found[1])}")', code)
    left = _LEFT.search(code)
    if left is not None:
        raise JoiningError(f"{path} has a line that cannot be joined: {left[0]}")
    return _Module(code.strip("\n"), imports, tuple(exports))


def _function(
    path: str, module: _Module, names: Mapping[str, str], libraries: Mapping[str, None]
) -> str:
    lines = [f"const {names[path]} = (() => {{"]
    for what, name in module.imports:
        if what.startswith("{"):
            lines.append(f"const {what.replace(' as ', ': ')} = {names[name]};")
        elif what.startswith("* as "):
            lines.append(f"const {what.removeprefix('* as ')} = {names[name]};")
        elif what and name in libraries:
            lines.append(f"const {what} = {names[name]}.default;")
        elif what:
            raise JoiningError(f"{path} imports {what} from {name}: must be names in braces")
    return "\n".join([*lines, module.code, f"return {{ {', '.join(module.exports)} }};", "})();"])


def _way(path: str, first: str, module: _Module) -> str:
    """A module that exports what the part of the one module has."""
    root = posixpath.relpath(first, posixpath.dirname(path) or ".")
    root = root if root.startswith(".") else f"./{root}"
    names = ", ".join(module.exports)
    return f'import {{ parts }} from "{root}";\nexport const {{ {names} }} = parts["{path}"];\n'


def _resolve(importer: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), name))
