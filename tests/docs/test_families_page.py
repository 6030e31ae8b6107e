"""The page on families tells what their files say."""

from __future__ import annotations

import pytest
from support.family_table import MARKED, PAGE, table, told

from foretell.backends.native.architectures import families


def test_its_table_is_that_of_the_code() -> None:
    (found,) = MARKED.finditer(PAGE.read_text(encoding="utf-8"))
    assert found[2] == table(), "run `make families`"


@pytest.mark.parametrize("family", list(families()), ids=lambda family: family.__name__)
def test_a_file_begins_with_who_it_is_and_what_is_its_own(family: type) -> None:
    who, what = told(family)
    assert "(" in who, "whose it is, and where that is written"
    assert len(what) > 10
