from foretell import TokenLogprob
from foretell.utils.token_tables import bar, scored_lines


def test_bars_end_on_an_eighth():
    assert bar(1, 10) == "█" * 10
    assert bar(0.5, 10) == "█" * 5
    assert bar(0.05 + 1 / 80, 10) == "▋"
    assert bar(0, 10) == ""


def test_the_likeliest_tokens_are_shown_whole():
    top = (TokenLogprob(7, " something", b" something", -0.5, rank=1),)
    tokens = [TokenLogprob(1, "a", b"a", None), TokenLogprob(2, " b", b" b", -2.0, rank=3, top=top)]
    head, _, chosen, likeliest, _ = scored_lines(tokens, -2.0)
    assert likeliest.startswith('    " something"  ')
    assert [line.index("-") for line in (chosen, likeliest)] == [head.index("logprob") + 1] * 2
