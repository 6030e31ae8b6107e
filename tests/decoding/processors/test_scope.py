import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.processor_rows import Past

from foretell.decoding.processors.scope import check_scope, scoped_tokens, seen_tokens
from foretell.errors import ConfigError


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("all", [5, 6, 7, 6, 9]),
        ("prompt", [5, 6, 7]),
        ("output", [6, 9]),
        (0, []),
        (1, [9]),
        (3, [7, 6, 9]),
        (5, [5, 6, 7, 6, 9]),
        (500, [5, 6, 7, 6, 9]),
    ],
)
def test_scope_chooses_tokens(scope, expected):
    assert list(scoped_tokens(Past([5, 6, 7, 6, 9], 3), scope)) == expected


@pytest.mark.parametrize("scope", [-1, "input", True, None, 2.0])
def test_other_scopes_are_refused(scope):
    with pytest.raises(ConfigError, match="penalty_scope="):
        check_scope(scope)


@settings(deadline=None)
@given(st.lists(st.integers(0, 12)), st.frozensets(st.integers(0, 12)), st.integers(1, 13))
def test_seen_tokens_are_counted(tokens, exempt, vocab_size):
    seen = seen_tokens(Past(tokens, 0), "output", exempt, vocab_size)
    expected = {
        token: tokens.count(token) for token in sorted(set(tokens) - exempt) if token < vocab_size
    }
    assert dict(zip(seen.ids.tolist(), seen.counts.tolist(), strict=True)) == expected
