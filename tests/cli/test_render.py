import pytest

from foretell.cli.render import pad, show_probability, show_token, width_of


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (" cat", '" cat"'),
        ("\n", '"\\n"'),
        ('"', '"\\""'),
        ("\\", '"\\\\"'),
        ("\x1b[2J", '"\\x1b[2J"'),
        ("한", '"한"'),
        ("\u202e", '"\\u202e"'),
        ("\u3000", '"\\u3000"'),
    ],
)
def test_tokens_cannot_move_the_cursor(token, shown):
    assert show_token(token) == shown


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("한글", 4), ("é", 1), ("e\u0301", 1), ("", 0)]
)
def test_wide_characters_take_two_columns(text, width):
    assert width_of(text) == width


@pytest.mark.parametrize(
    "text", ["", "cat", "a rather long token", "한국어로 된 토큰", "가a가a가a가a"]
)
@pytest.mark.parametrize("columns", [6, 7, 12])
def test_padding_is_exact(text, columns):
    assert width_of(pad(text, columns)) == columns


@pytest.mark.parametrize(
    ("probability", "shown"),
    [(1.0, "100.00%"), (0.5, "50.00%"), (1e-4, "0.01%"), (2e-7, "2.0e-07"), (0.0, "0.0e+00")],
)
def test_small_probabilities_do_not_show_as_nothing(probability, shown):
    assert show_probability(probability) == shown
