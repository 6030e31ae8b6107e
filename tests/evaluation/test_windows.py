"""How texts are cut by each convention, on examples worked by hand."""

import pytest
from support.toy import BOS, EOS, toy_tokenizer

from foretell import ConfigError, RequestError
from foretell.evaluation.windows import cut_for

PLAIN, WITH_BOS = toy_tokenizer(), toy_tokenizer(adds_bos=True)


def cut(convention, ids, tokenizer=PLAIN, **lengths):
    """Of each window its tokens, how many are scored, and its weight."""
    found = cut_for(convention, 1000, **lengths).windows(ids, tokenizer)
    return [([*one.span.token_ids], one.span.num_scored, one.weight) for one in found]


def test_llama_cpp_scores_second_halves_and_leaves_the_rest_out():
    assert cut("llama.cpp", [*range(19)], window=8) == [
        ([0, 1, 2, 3, 4, 5, 6, 7], 3, 3),
        ([8, 9, 10, 11, 12, 13, 14, 15], 3, 3),
    ]


def test_llama_cpp_begins_each_window_as_the_model_begins_a_text():
    found = cut("llama.cpp", [BOS, *range(1, 16)], WITH_BOS, window=8)
    assert [tokens[0] for tokens, _, _ in found] == [BOS, BOS]
    assert found[1][0][1:] == [*range(9, 16)]


def test_llama_cpp_scores_255_of_512():
    assert [window[1] for window in cut("llama.cpp", [1] * 1024)] == [255, 255]


def test_huggingface_scores_what_is_new_in_each_window():
    assert cut("huggingface", [*range(10)], window=6, stride=3) == [
        ([0, 1, 2, 3, 4, 5], 5, 5),
        ([3, 4, 5, 6, 7, 8], 3, 2),
        # [6, 7, 8, 9] has one new token, whose weight is 0
    ]
    assert cut("huggingface", [*range(8)], window=4, stride=4) == [
        ([0, 1, 2, 3], 3, 3),
        ([4, 5, 6, 7], 3, 3),
    ]


def test_huggingface_reads_a_short_text_as_one():
    assert cut("huggingface", [5, 6, 7]) == [([5, 6, 7], 2, 2)]


def test_lm_eval_scores_each_token_once_and_the_rest_with_a_whole_past():
    assert cut("lm-eval", [*range(10)], window=4) == [
        ([EOS if PLAIN.bos_token_id is None else BOS, 0, 1, 2, 3], 4, 4),
        ([3, 4, 5, 6, 7], 4, 4),
        ([5, 6, 7, 8, 9], 2, 2),
    ]
    assert cut("lm-eval", [7], window=4) == [([BOS, 7], 1, 1)]


@pytest.mark.parametrize("convention", ["llama.cpp", "huggingface", "lm-eval"])
@pytest.mark.parametrize("count", [16, 17, 30, 64])
def test_windows_are_counted_and_fit(convention, count):
    lengths = {"window": 8} | ({"stride": 4} if convention == "huggingface" else {})
    found = cut(convention, [*range(count)], **lengths)
    most = cut_for(convention, 1000, **lengths).num_windows(count)
    assert most - 1 <= len(found) <= most
    assert all(0 < scored < len(tokens) <= 9 for tokens, scored, _ in found)


def test_usual_lengths():
    assert cut_for("llama.cpp", 8192).size == 512
    assert cut_for("llama.cpp", 256).size == 256
    assert (cut_for("huggingface", 8192).size, cut_for("huggingface", 8192).stride) == (8192, 512)
    assert cut_for("huggingface", 64).stride == 64
    assert cut_for("lm-eval", 2048).size == 2048


@pytest.mark.parametrize(
    ("convention", "lengths", "message"),
    [
        ("llama", {}, "convention='llama' must be one of llama.cpp, huggingface, lm-eval"),
        ("llama.cpp", {"window": 3}, "window=3 is out of range"),
        ("lm-eval", {"window": 101}, "window=101 must be at most the context, 100"),
        ("lm-eval", {"stride": 5}, "stride=5 has no effect"),
        ("huggingface", {"window": 8, "stride": 9}, "stride=9 must be at most the window, 8"),
        ("huggingface", {"stride": 0}, "stride=0 is out of range"),
        ("lm-eval", {"window": 8.5}, "window=8.5 must be"),
    ],
)
def test_lengths_that_make_no_sense_are_refused(convention, lengths, message):
    with pytest.raises(ConfigError, match=message):
        cut_for(convention, 100, **lengths)


def test_texts_that_are_too_short_are_refused():
    with pytest.raises(RequestError, match=r"3 tokens: .* window=8 needs at least 16"):
        cut_for("llama.cpp", 100, window=8).encode("abc", PLAIN)
    with pytest.raises(RequestError, match="0 tokens"):
        cut_for("lm-eval", 100).encode("", PLAIN)
    assert cut_for("lm-eval", 100).encode("a", PLAIN)
