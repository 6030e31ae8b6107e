"""The checked-in stub of the extension names what the extension has, with the same parameters."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from foretell.backends import native
from foretell.backends.native import _core

STUB = ast.parse((Path(native.__file__).parent / "_core.pyi").read_text(encoding="utf-8"))


def public(names: list[str]) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def functions(body: list[ast.stmt]) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


def parameters(node: ast.FunctionDef) -> list[str]:
    names = [argument.arg for argument in node.args.args + node.args.kwonlyargs]
    return [name for name in names if name != "self"]


def test_the_stub_names_what_the_module_has():
    classes = {node.name for node in STUB.body if isinstance(node, ast.ClassDef)}
    assert classes | functions(STUB.body).keys() == public(dir(_core))


def test_the_stub_has_the_methods_and_parameters_of_the_program():
    (stub,) = [n for n in STUB.body if isinstance(n, ast.ClassDef) and n.name == "Program"]
    methods = functions(stub.body)
    assert public(list(methods)) == public(dir(_core.Program))
    for name, node in methods.items():
        if name.startswith("_") or node.decorator_list:
            continue
        signature = getattr(_core.Program, name).__doc__.split("\n")[0]
        named = re.findall(r"(\w+): ", re.sub(r"\[.*?\](?=[,)=])", "", signature))
        assert [n for n in named if n in parameters(node)] == parameters(node), name
