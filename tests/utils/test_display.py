"""Texts cut to columns, and figures: whatever their size, what is shown has an end."""

import pytest

from foretell.utils.display import cut_beginning, pad, show_figure, width_of


@pytest.mark.parametrize("columns", range(-2, 9))
@pytest.mark.parametrize("text", ["", "a", "abc", "日本語", "a日b"])
def test_a_text_takes_the_columns_that_there_are(text, columns):
    assert width_of(pad(text, columns)) == max(0, columns)
    assert width_of(cut_beginning(text, columns)) <= max(0, columns)


def test_what_was_cut_off_shows():
    assert pad("abcdef", 4) == "abc…"
    assert cut_beginning("abcdef", 4) == "…def"
    assert pad("日本", 3) == "日…"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (-1.2345, "-1.234"),
        (-12345.6789, "-12345.679"),
        (-1e120, "-1.0e+120"),
        (3e38, "3.0e+38"),
        (float("-inf"), "-inf"),
        (0.0, "0.000"),
    ],
)
def test_a_figure_fits_its_column(number, shown):
    assert show_figure(number) == shown
