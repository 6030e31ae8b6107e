"""Which variables a request may give to a chat template."""

from __future__ import annotations

import json
from collections import UserDict
from typing import Any

import pytest

from foretell.errors import RequestError
from foretell.text.chat.arguments import MAX_DEPTH, check_arguments


def nested(depth: int) -> Any:
    return json.loads("[" * depth + "]" * depth)


def test_plain_json_is_taken_as_it_is() -> None:
    given = {"a": None, "b": [True, 1, -2.5, "고"], "c": {"d": {}}, "e": nested(MAX_DEPTH)}
    assert check_arguments(given, ()) == given
    assert check_arguments(None, ()) == {}


def test_a_copy_is_made() -> None:
    given = {"a": ({"b": 1},), "c": UserDict(d=1)}
    taken = check_arguments(given, ())
    assert taken == {"a": [{"b": 1}], "c": {"d": 1}}
    assert type(taken["c"]) is dict


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (7, "template_arguments=7 must be a mapping of names to values"),
        ([["a", 1]], "template_arguments=[['a', 1]] must be a mapping"),
        ({3: 1}, "template_arguments has the name 3: must be a string"),
        ({"a": {3: 1}}, "template_arguments['a'] has the name 3: must be a string"),
        ({"\ud800": 1}, "template_arguments has a lone surrogate: must be Unicode"),
        ({"a": ["\ud800"]}, "template_arguments['a'] has a lone surrogate"),
        ({"a": {"\ud800": 1}}, "template_arguments['a'] has a lone surrogate"),
        ({"a": object}, "template_arguments['a'] has <class 'object'>: must be plain JSON"),
        ({"a": [b"x"]}, "template_arguments['a'] has b'x': must be plain JSON"),
        ({"a": float("nan")}, "template_arguments['a'] has nan: must be plain JSON"),
        ({"a": 1e999}, "template_arguments['a'] has inf: must be plain JSON"),
        ({"a": 10**5000}, "template_arguments['a'] has an integer of about 5000 digits: must"),
        ({"a": nested(MAX_DEPTH + 1)}, "template_arguments['a'] is too deep: must have at most"),
        ({"a": nested(900)}, "template_arguments['a'] is too deep"),
        ({"tools": None}, "template_arguments has 'tools': must not replace"),
    ],
)
def test_anything_else_is_refused(arguments: Any, reason: str) -> None:
    with pytest.raises(RequestError) as caught:
        check_arguments(arguments, {"tools"})
    assert str(caught.value).startswith(reason)
    assert len(str(caught.value)) < 300
