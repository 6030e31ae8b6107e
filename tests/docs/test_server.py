"""The page on the server tells of fields what its tables say."""

from __future__ import annotations

from support.server_fields import MARKED, PAGE, tables

from foretell.server import limits
from foretell.server.fields import HARMLESS, NEUTRAL, OWN, RENAMED, SENDABLE

TEXT = PAGE.read_text(encoding="utf-8")


def test_its_tables_are_those_of_the_code():
    (found,) = MARKED.finditer(TEXT)
    assert found[2] == tables(), "run `make fields`"


def test_it_has_each_field():
    known = {
        *HARMLESS,
        *NEUTRAL,
        *RENAMED,
        *SENDABLE,
        *(name for one in OWN.values() for name in one),
    }
    assert {name for name in known if f"`{name}`" not in tables()} == set()


def test_it_has_the_bounds_of_requests():
    page = TEXT[: MARKED.search(TEXT).start()]
    for name, bound in vars(limits).items():
        if not name.isupper() or name in UNTOLD:
            continue
        number = bound.high if isinstance(bound, limits.Span) else bound
        assert f"{number:,}" in page, name


UNTOLD = ("PRIORITY", "POSITION", "NEXT_TOP")
"""Bounds that the table of fields has, or nobody meets."""
