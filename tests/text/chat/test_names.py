"""Names in texts, against what each method says it finds."""

from __future__ import annotations

import gc
import re

from hypothesis import given
from hypothesis import strategies as st
from support.toy import toy_tokenizer

from foretell.text.chat.names import Names, TokenNames, names_of

LETTERS = st.text(" ab<|", max_size=8)
NAMES = st.lists(st.text("ab<|", min_size=1, max_size=4), max_size=5, unique=True)


@given(NAMES, LETTERS)
def test_starts_and_last_characters(names: list[str], text: str) -> None:
    found = Names(names)
    starts = [i for i in range(len(text)) if any(text.startswith(name, i) for name in names)]
    assert found.starts_in(text) == starts
    longest_first = sorted(names, key=len, reverse=True)
    matches = re.finditer("|".join(map(re.escape, longest_first)) or "(?!)", text)
    assert found.last_of_each_in(text) == [match.end() - 1 for match in matches]


@given(NAMES, LETTERS)
def test_edges_are_where_a_neighbour_can_complete_a_name(names: list[str], text: str) -> None:
    expected = set()
    for name in names:
        for cut in range(1, len(name)):
            for shown in (text, text.rstrip()):
                if shown.endswith(name[:cut]):
                    expected.add(len(shown) - cut)
            for shown in (text, text.lstrip()):
                if shown.startswith(name[cut:]):
                    expected.add(len(text) - len(shown))
    assert Names(names).edges_of(text) == expected


def test_a_tokenizers_names_are_kept_as_long_as_it_is() -> None:
    tokenizer = toy_tokenizer()
    names = names_of(tokenizer)
    assert names_of(tokenizer) is names
    assert names.control.starts_in("a<|end|>") == [1]
    other = toy_tokenizer()
    assert names_of(other) is not names
    del tokenizer, names
    gc.collect()
    assert names_of(other).control.starts_in("<|start|>") == [0]


def test_user_defined_names_are_told_apart_by_template() -> None:
    tokenizer = toy_tokenizer()
    tokenizer.user_defined_names = ["<a>", "<b>", "\n"]
    names = TokenNames(tokenizer)
    for i in range(20):
        turns, others = names.user_defined(f"<a>{i}")
        assert (turns.starts_in("<a>"), turns.starts_in("<b>")) == ([0], [])
        assert (others.starts_in("<a>"), others.starts_in("<b>\n")) == ([], [0])
