"""The textbook chapter's own examples, on the real default model.

Each of the chapter's functions is written out here as the chapter has it, on numpy, and run over
the logits that the model gives; foretell must answer the same.
"""

import numpy as np
import pytest
from support.logits_after import logits_after

from foretell import LLM
from foretell.decoding.philox import uniform
from foretell.decoding.sampler import draw

PROMPT = "The cat sat on the"
STORY = "Once upon a time"
DIARY = "# My diary\n\nMonday: I was at home."


@pytest.fixture(scope="module")
def llm(default_model_path):
    with LLM(default_model_path, context_length=256) as model:
        yield model


def softmax(row):
    weights = np.exp(row.astype(np.float64) - row.max())
    return weights / weights.sum()


def loop(llm, prompt, num_tokens, choose):
    """The chapter's loop: a forward pass, the last row, a token, until end of sequence."""
    ids = llm.tokenizer.encode(prompt)
    new = []
    for _ in range(num_tokens):
        new.append(choose(logits_after(llm, ids + new), ids + new))
        if new[-1] in llm.tokenizer.eos_token_ids:
            break
    return new


def temperature(row, t):
    return row / np.float32(t)


def top_k(row, k):
    kept = np.full_like(row, -np.inf)
    best = np.argsort(-row, kind="stable")[:k]
    kept[best] = row[best]
    return kept


def top_p(row, p):
    order = np.argsort(-row, kind="stable")
    remove = np.cumsum(softmax(row)[order]) > p
    remove[1:] = remove[:-1].copy()
    remove[0] = False
    kept = row.copy()
    kept[order[remove]] = -np.inf
    return kept


def repetition(row, ids, penalty):
    row = row.copy()
    for token in set(ids):
        row[token] = row[token] / penalty if row[token] > 0 else row[token] * penalty
    return row


def frequency(row, ids, penalty):
    row = row.copy()
    for token in ids:
        row[token] -= penalty
    return row


def presence(row, ids, penalty):
    row = row.copy()
    row[list(set(ids))] -= penalty
    return row


def test_the_distribution_of_the_next_token(llm):
    found = llm.next(PROMPT, top=5)
    expected = softmax(logits_after(llm, llm.tokenizer.encode(PROMPT)))
    assert [token.token_id for token in found.tokens] == np.argsort(-expected)[:5].tolist()
    for token in found.tokens:
        assert token.probability == pytest.approx(expected[token.token_id], rel=1e-6)


def test_the_product_rule(llm):
    score = llm.score("The cat sat on the mat")
    ids = llm.tokenizer.encode("The cat sat on the mat")
    rows = [logits_after(llm, ids[:place]) for place in range(1, len(ids))]
    logprobs = [np.log(softmax(row)[ids[place + 1]]) for place, row in enumerate(rows)]
    assert score.logprob == pytest.approx(sum(logprobs), rel=1e-6)


def test_the_basic_loop_is_greedy_decoding(llm):
    expected = loop(llm, PROMPT, 12, lambda row, ids: int(row.argmax()))
    assert llm.generate(PROMPT, max_new_tokens=12).token_ids == expected


CHAINS = {
    "temperature 0.1": ({"temperature": 0.1}, lambda row: temperature(row, 0.1)),
    "temperature 1": ({"temperature": 1.0}, lambda row: row),
    "temperature 2": ({"temperature": 2.0}, lambda row: temperature(row, 2.0)),
    "top-k 50": ({"top_k": 50}, lambda row: top_k(row, 50)),
    "top-p 0.9": ({"top_p": 0.9}, lambda row: top_p(row, 0.9)),
    "all three": (
        {"temperature": 0.8, "top_k": 50, "top_p": 0.9},
        lambda row: top_p(top_k(temperature(row, 0.8), 50), 0.9),
    ),
}


@pytest.mark.parametrize(("settings", "chain"), CHAINS.values(), ids=CHAINS)
def test_each_way_to_sample(llm, settings, chain):
    """The chapter draws with torch's own numbers; here both draw with the same ones."""

    def choose(row, ids):
        return draw(chain(row.copy()), uniform(11, 0, len(ids)))

    expected = loop(llm, PROMPT, 10, choose)
    assert llm.generate(PROMPT, max_new_tokens=10, seed=11, **settings).token_ids == expected


PENALTIES = {
    "repetition 1.2": ({"repetition_penalty": 1.2}, lambda row, ids: repetition(row, ids, 1.2)),
    "frequency 0.5": (
        {"frequency_penalty": 0.5, "penalty_scope": "all"},
        lambda row, ids: frequency(row, ids, 0.5),
    ),
    "presence 0.5": (
        {"presence_penalty": 0.5, "penalty_scope": "all"},
        lambda row, ids: presence(row, ids, 0.5),
    ),
}


@pytest.mark.parametrize(("settings", "penalise"), PENALTIES.values(), ids=PENALTIES)
def test_each_penalty(llm, settings, penalise):
    expected = loop(llm, STORY, 16, lambda row, ids: int(penalise(row, ids).argmax()))
    output = llm.generate(STORY, max_new_tokens=16, do_sample=False, **settings)
    assert output.token_ids == expected


def test_it_stops_at_the_end_of_sequence(llm):
    output = llm.chat([{"role": "user", "content": "Say hi."}], max_new_tokens=60)
    assert output.token_ids[-1] in llm.tokenizer.eos_token_ids
    assert (output.finish_reason, output.stop_reason.kind) == ("stop", "eos")


def test_it_stops_at_the_length(llm):
    output = llm.generate(STORY, max_new_tokens=7)
    assert len(output.token_ids) == 7
    assert (output.finish_reason, output.stop_reason.kind) == ("length", "max_new_tokens")


def test_it_stops_at_the_chapters_stop_strings(llm):
    stop = ["###", "\n\n", "<|endoftext|>"]
    free = llm.generate(DIARY, max_new_tokens=60).text
    ends = [free.index(text) for text in stop if text in free]
    assert ends, "the text must have something to stop at"
    output = llm.generate(DIARY, max_new_tokens=60, stop=stop)
    assert output.text == free[: min(ends)]
    assert output.stop_reason.kind == "string"
    assert output.stop_reason.value in stop


def test_the_streaming_loop(llm):
    settings = {"max_new_tokens": 20, "top_p": 0.9, "seed": 3}
    pieces = [chunk.text for chunk in llm.stream(STORY, **settings)]
    assert "".join(pieces) == llm.generate(STORY, **settings).text
    assert len(pieces) >= 20


@pytest.mark.parametrize("preset", ["code", "creative", "chat", "summary"])
def test_the_settings_per_task(llm, preset):
    output = llm.generate(STORY, max_new_tokens=4, preset=preset, seed=0)
    assert output.config.top_p == 0.9
    low, high = {
        "code": (0.2, 0.4),
        "creative": (0.7, 1.0),
        "chat": (0.6, 0.8),
        "summary": (0.3, 0.5),
    }[preset]
    assert low <= output.config.temperature <= high
