from foretell.utils.token_tables import bar


def test_bars_end_on_an_eighth():
    assert bar(1, 10) == "█" * 10
    assert bar(0.5, 10) == "█" * 5
    assert bar(0.05 + 1 / 80, 10) == "▋"
    assert bar(0, 10) == ""
