"""The tree of errors: what its docstring draws is what the classes are."""

from __future__ import annotations

import re
from http import HTTPStatus

import pytest

from foretell import errors
from foretell.errors import ContextLengthError, DownloadError, ForetellError
from foretell.hub.refusals import UnreachableError


def all_errors(root: type[ForetellError] = ForetellError) -> list[type[ForetellError]]:
    return [root, *(known for child in root.__subclasses__() for known in all_errors(child))]


ERRORS = [known for known in all_errors() if known.__module__ == errors.__name__]


def drawn() -> dict[str, tuple[int, int, int]]:
    """Depth, exit code and HTTP status of each name in the docstring's tree."""
    lines = re.findall(r"^([│├└─ ]*)(\w+Error) +(\d+) +(\d+)", errors.__doc__ or "", re.MULTILINE)
    return {name: (len(edge) // 4, int(code), int(status)) for edge, name, code, status in lines}


def test_the_docstring_draws_every_error() -> None:
    assert list(drawn()) == [known.__name__ for known in ERRORS]


@pytest.mark.parametrize("known", ERRORS, ids=lambda known: known.__name__)
def test_an_error_is_as_it_is_drawn(known: type[ForetellError]) -> None:
    depth = known.__mro__.index(ForetellError)
    assert drawn()[known.__name__] == (depth, known.exit_code, known.http_status)


@pytest.mark.parametrize("known", all_errors(), ids=lambda known: known.__name__)
def test_every_error_has_an_exit_code_and_a_status(known: type[ForetellError]) -> None:
    assert known.exit_code in (1, 2)
    assert HTTPStatus(known.http_status).value >= HTTPStatus.BAD_REQUEST


def test_what_the_user_can_mend_is_the_users_fault() -> None:
    for known in all_errors():
        assert (known.exit_code == 2) <= (known.http_status < 500)


def test_the_hubs_own_error_is_a_download_error() -> None:
    assert UnreachableError in all_errors(DownloadError)


@pytest.mark.parametrize("known", all_errors(), ids=lambda known: known.__name__)
def test_an_error_can_be_raised_again(known: type[ForetellError]) -> None:
    error, cause = known("what is wrong"), ValueError("why")
    error.__cause__ = cause
    again, other = error.again(), error.again("said otherwise")
    assert again is not error
    assert [type(one) for one in (again, other)] == [known] * 2
    assert [str(one) for one in (again, other)] == ["what is wrong", "said otherwise"]
    assert again.__cause__ is other.__cause__ is cause


def test_an_error_that_is_raised_again_still_knows_what_it_is_about() -> None:
    error = ContextLengthError("too much", setting="max_new_tokens", value="9", room=3).again("so")
    assert (error.setting, error.value, error.room) == ("max_new_tokens", "9", 3)
