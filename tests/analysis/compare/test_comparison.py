import json
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.markup import read_html
from support.toy import EOS, reciting_llm, toy_llm

from foretell import ConfigError, GenerationConfig, RequestError
from foretell.analysis.compare import DEFAULT_STRATEGIES
from foretell.analysis.compare.figures import agreement, distinct, figures_of, repeated_ngrams
from foretell.analysis.compare.tables import show_perplexity, table_lines, text_lines

HOSTILE = "<script>alert(1)</script> & \x1b[2J"


def test_distinct_by_hand():
    texts = [[1, 2, 1, 2], [1, 2, 3]]
    assert distinct(texts, 1) == (2 / 4 + 3 / 3) / 2
    assert distinct(texts, 2) == pytest.approx((2 / 3 + 2 / 2) / 2)  # 12 21 12, 12 23
    assert distinct(texts, 3) == 1.0  # 121 212, 123
    assert distinct([*texts, [5]], 2) == distinct(texts, 2)  # too short to count
    assert distinct(texts, 5) is None
    assert distinct([], 1) is None


def test_distinct_does_not_depend_on_the_number_of_runs():
    text = [1, 2, 1, 3]
    assert distinct([text] * 3, 2) == distinct([text], 2) == 1.0
    assert distinct([text] * 3, 1) == distinct([text], 1) == 3 / 4


def test_repeated_ngrams_by_hand():
    looping = [1, 2, 3, 4, 1, 2, 3, 4, 1]  # 1234 2341 3412 4123 1234 2341: the last two again
    assert repeated_ngrams([looping], 4) == pytest.approx(2 / 6)
    assert repeated_ngrams([looping, [1, 2, 3, 4]], 4) == pytest.approx((2 / 6 + 0) / 2)
    assert repeated_ngrams([looping, [1, 2, 3]], 4) == pytest.approx(2 / 6)  # too short to count
    assert repeated_ngrams([[1, 2, 3]], 4) is None


def test_agreement_by_hand():
    assert agreement([[1, 2, 3]]) is None
    assert agreement([[1, 2, 3, 4], [1, 9, 3]]) == 2 / 4
    assert agreement([[], []]) == 1.0
    assert agreement([[], [1]]) == 0.0
    pairs = [2 / 3, 1 / 3, 2 / 3]
    assert agreement([[1, 2, 3], [1, 2, 4], [1, 5, 4]]) == pytest.approx(sum(pairs) / 3)


def test_logprob_and_perplexity_by_hand():
    found = figures_of([[1, 2, 3], [4]], [-1.0, -2.0, -3.0, -4.0])
    assert found.mean_logprob == -2.5
    assert found.perplexity == pytest.approx(math.exp(2.5))
    assert found.mean_length == 2.0
    assert figures_of([[1]], [-1000.0]).perplexity == math.inf
    nothing = figures_of([[]], [])
    assert (nothing.mean_logprob, nothing.perplexity) == (None, None)


def peers_distinct(texts, n):
    counts = [Counter(zip(*(text[i:] for i in range(n)), strict=False)) for text in texts]
    shares = [len(count) / count.total() for count in counts if count]
    return np.mean(shares) if shares else None


def peers_repeated(texts, n):
    shares = []
    for text in texts:
        seen, again = set(), []
        for end in range(n, len(text) + 1):
            gram = str(text[end - n : end])
            again.append(gram in seen)
            seen.add(gram)
        shares += [np.mean(again)] if again else []
    return np.mean(shares) if shares else None


def peers_agreement(texts):
    if len(texts) < 2:
        return None
    length = max(1, *map(len, texts))
    padded = np.array(
        [[*text, *[-1 - row] * (length - len(text))] for row, text in enumerate(texts)]
    )
    longer = np.maximum.outer(*[np.array([len(text) for text in texts])] * 2)
    equal = (padded[:, None] == padded[None]).sum(axis=2)
    shares = np.where(longer == 0, 1.0, np.where(longer > 0, equal, 1) / np.maximum(longer, 1))
    return shares[np.triu_indices(len(texts), 1)].mean()


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.lists(st.integers(0, 3), max_size=15), min_size=1, max_size=5), st.integers(1, 4)
)
def test_figures_are_those_of_another_implementation(texts, n):
    def same(ours, theirs):
        return ours == (None if theirs is None else pytest.approx(theirs))

    assert same(distinct(texts, n), peers_distinct(texts, n))
    assert same(repeated_ngrams(texts, n), peers_repeated(texts, n))
    assert same(agreement(texts), peers_agreement(texts))


def test_each_run_is_what_generate_gives_for_its_seed():
    llm = toy_llm(num_blocks=60)
    wishes = {"hot": {"temperature": 1.5}, "greedy": {}}
    hot, greedy = llm.compare("the cat", wishes, seeds=[4, 9, 2], max_new_tokens=12).results
    assert [run.seed for run in hot.runs] == [4, 9, 2]
    for run in hot.runs:
        alone = llm.generate("the cat", temperature=1.5, seed=run.seed, max_new_tokens=12)
        assert (run.text, run.token_ids) == (alone.text, alone.token_ids)
        assert run.finish_reason == alone.finish_reason
    (run,) = greedy.runs
    assert run.seed is None
    assert run.token_ids == llm.generate("the cat", max_new_tokens=12).token_ids
    assert greedy.figures.agreement is None


def test_logprobs_are_the_raw_models_whatever_the_settings():
    llm = toy_llm()
    wishes = {"hot": {"temperature": 2.0, "top_k": 5, "logprobs": 2, "logprobs_stage": "final"}}
    (result,) = llm.compare([1, 2, 3], wishes, seeds=2, max_new_tokens=9).results
    total, count = 0.0, 0
    for run in result.runs:
        scored = llm.score([1, 2, 3, *run.token_ids]).tokens[3:]
        total += sum(token.logprob for token in scored)
        count += len(scored)
    assert result.figures.mean_logprob == pytest.approx(total / count, rel=1e-6)
    assert result.figures.perplexity == pytest.approx(math.exp(-total / count), rel=1e-6)
    assert result.figures.mean_length == count / 2


def test_all_runs_share_batches_and_no_speed_is_told():
    llm = toy_llm()
    wishes = {"hot": {"temperature": 1.0}, "greedy": {}}
    found = llm.compare("a", wishes, max_new_tokens=8, ignore_eos=True)
    assert max(len(batch.logits_indices) for batch in llm.backend.batches) == 4
    assert not {"tokens_per_second", "seconds"} & found.results[0].figures.to_dict().keys()
    assert "tok/s" not in f"{found}{found._repr_html_()}"


def test_each_names_settings_are_spelled_out():
    wishes = {"calm": {"preset": "precise"}, "all three": {"temperature": 0.8, "top_k": 5}, "b": {}}
    found = toy_llm().compare("a", wishes, seeds=1, max_new_tokens=3, repetition_penalty=1.1)
    lines = table_lines(found.results)
    assert lines[-4:] == [
        "all: repetition_penalty=1.1, max_new_tokens=3",
        "calm: temperature=0.1, top_p=0.9, preset='precise'",
        "all three: temperature=0.8, top_k=5",
        "b: no setting of its own",
    ]
    page = read_html(found._repr_html_()).text
    assert "temperature=0.8, top_k=5" in page
    assert "all with repetition_penalty=1.1, max_new_tokens=3" in page


def test_long_settings_wrap():
    wishes = {"x": {"stop": ["a long text that ends it"] * 5}, "y": {}}
    found = toy_llm().compare("a", wishes, seeds=1, max_new_tokens=3)
    lines = table_lines(found.results)
    assert max(map(len, lines)) <= 80
    assert " ".join(" ".join(lines).split()).count("a long text that ends it") == 5


def test_a_strategys_own_settings_win_over_the_shared():
    whole = GenerationConfig(temperature=0.5, max_new_tokens=3)
    wishes = {"mapping": {"max_new_tokens": 2}, "whole": whole, "shared": {}}
    found = toy_llm().compare("a", wishes, seeds=1, max_new_tokens=5, ignore_eos=True, top_k=7)
    assert [result.figures.mean_length for result in found.results] == [2, 3, 5]
    assert found.results[1].config == whole.override(ignore_eos=True, top_k=7)


def test_a_strategy_with_a_seed_of_its_own_runs_once_with_it():
    wishes = {"seeded": {"temperature": 1.0, "seed": 11}}
    (result,) = toy_llm().compare("a", wishes, max_new_tokens=4).results
    assert [run.seed for run in result.runs] == [11]


def test_end_of_sequence_counts_as_a_token():
    (result,) = reciting_llm("the cat").compare("the", {"greedy": {}}).results
    assert result.runs[0].token_ids[-1] == EOS
    assert result.runs[0].text == " cat"
    assert result.figures.mean_length == 2


def test_the_default_strategies_are_the_textbooks():
    found = toy_llm().compare("the cat", max_new_tokens=6)
    assert [result.name for result in found.results] == list(DEFAULT_STRATEGIES)
    assert [len(result.runs) for result in found.results] == [1, 3, 3, 3, 3, 3, 3]
    last = found.results[-1].config
    assert (last.temperature, last.top_k, last.top_p) == (0.8, 50, 0.9)


def test_it_turns_into_json():
    found = toy_llm().compare("the cat", max_new_tokens=6)
    data = json.loads(json.dumps(found.to_dict()))
    assert data["prompt"] == "the cat"
    assert [entry["name"] for entry in data["results"]] == list(DEFAULT_STRATEGIES)
    assert data["results"][1]["config"]["temperature"] == 0.1
    assert data["results"][1]["figures"]["distinct_2"] == found.results[1].figures.distinct_2
    assert data["results"][1]["runs"][2]["seed"] == 2


def test_the_table_fits_in_80_columns():
    wishes = {"a name much too long for a table": {"temperature": 1.0}, "고양이" * 9: {}, "b": {}}
    found = toy_llm().compare("the cat", wishes, max_new_tokens=6)
    lines = table_lines(found.results)
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].split()[:4] == ["strategy", "runs", "len", "logprob"]
    figures = found.results[1].figures
    assert f"{figures.mean_logprob:.2f}" in lines[2]
    assert "…" in lines[1]
    assert "…" in lines[2]
    assert "…" not in lines[3]


@pytest.mark.parametrize("columns", [30, 40, 60])
def test_the_table_leaves_out_what_has_no_room(columns):
    found = toy_llm().compare("the cat", {"a": {"temperature": 1.0}, "b": {}}, max_new_tokens=6)
    lines = table_lines(found.results, columns)
    assert all(len(line) <= columns for line in lines)
    heads = lines[0].split()
    assert {"strategy", "perpl", "len"} <= {*heads} < {*table_lines(found.results)[0].split()}
    assert len(lines[1].split()) == len(heads)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (1, "1.00"), (999.99, "999.99"), (12345.6, "12346"), (math.inf, "inf")],
)
def test_perplexities_of_all_sizes_are_short(value, shown):
    assert show_perplexity(value) == shown
    assert len(show_perplexity(2.5e7)) == 7


def test_no_text_reaches_terminal_or_html_raw():
    found = reciting_llm(HOSTILE + HOSTILE).compare(HOSTILE, {HOSTILE: {}})
    page = found._repr_html_()
    assert "<script>" not in page
    assert read_html(page).text.count("<script>alert(1)</script>") == 4  # prompt, name, texts
    shown = "\n".join([*table_lines(found.results), *text_lines(found.results, 80)])
    assert "\x1b" not in shown
    assert "\\x1b[2J" in shown


def test_printed_it_has_the_texts_too():
    long = " ".join(f"word{number}" for number in range(30))
    found = reciting_llm(long).compare("w", {"greedy": {}, "hot": {"temperature": 1.0}}, seeds=2)
    lines = str(found).splitlines()
    assert lines == [*table_lines(found.results), *text_lines(found.results, 80)]
    assert all(len(line) <= 80 for line in lines)
    told = " ".join(str(found).split())
    for result in found.results:
        assert f"── {result.name}" in told
        for run in result.runs:
            assert " ".join(run.text.split()) in told


def test_texts_are_wrapped():
    long = "a" + " word" * 30 + "\n\nlast"
    found = reciting_llm(long).compare("a", {"greedy": {}}, max_new_tokens=200)
    lines = list(text_lines(found.results, 40))
    assert lines[1] == "── greedy (stop)"
    assert all(len(line) <= 40 for line in lines)
    assert " ".join(" ".join(lines[2:]).split()) == "word " * 30 + "last"
    assert lines[-2:] == ["", "   last"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strategies": {}}, "strategies={} must be a dict from names to settings"),
        ({"strategies": {"": {}}}, "the strategy name '' must be a text, not empty"),
        ({"strategies": {"a": 3}}, "strategy 'a': 3 must be a dict of settings"),
        ({"strategies": {"a": {"temperatur": 1}}}, "strategy 'a': unknown setting 'temperatur'"),
        ({"strategies": {"a": {"top_p": 2.0}}}, "strategy 'a': top_p=2.0 is out of range"),
        (
            {"strategies": {"a": {"top_k": 5, "num_return_sequences": 2}}},
            "strategy 'a': num_return_sequences=2 must be 1: compare runs one text a seed",
        ),
        ({"seeds": 0}, "seeds=0 is out of range: must be an integer from 1 to 1000"),
        ({"seeds": True}, "seeds=True must be an integer from 1 to 1000"),
        ({"seeds": []}, "seeds=[] must have at least one seed, and each once"),
        ({"seeds": [3, 3]}, "seeds=[3, 3] must have at least one seed, and each once"),
        ({"seeds": [-1]}, "seeds=-1 is out of range"),
        ({"seeds": "12"}, "seeds='12' must be an integer from 1 to 1000"),
        ({"seeds": 1.5}, "seeds=1.5 must be an integer from 1 to 1000"),
    ],
)
def test_mistakes_are_told_before_anything_runs(arguments, message):
    llm = toy_llm()
    with pytest.raises(ConfigError) as error:
        llm.compare("a", **arguments)
    assert message in str(error.value)
    assert llm.backend.batches == []


def test_an_empty_prompt_is_an_error_and_nothing_stays_open():
    llm = toy_llm()
    with pytest.raises(RequestError, match="no tokens"):
        llm.compare("")
    llm.compare("a", max_new_tokens=2)
