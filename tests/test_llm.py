import gc
import json
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.toy import (
    BOS,
    EOS,
    VOCAB_SIZE,
    engine_of,
    reciting_llm,
    toy_llm,
    toy_tokenizer,
)

from foretell import ConfigError, GenerationConfig, ModelNotFoundError, NumericalError, RequestError
from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.llm import LLM

STORY = "the cat sat on 고양이 and 🐈‍⬛ slept"


def test_generate_continues_to_end_of_sequence():
    output = reciting_llm(STORY).generate("the cat")
    assert output.prompt + output.text == STORY
    assert output.finish_reason == "stop"
    assert output.token_ids[-1] == EOS
    assert output.prompt_token_ids == toy_tokenizer().encode("the cat")
    assert output.usage.prompt_tokens == 2
    assert output.usage.completion_tokens == len(output.token_ids)
    assert output.usage.time_to_first_token > 0
    assert output.logprobs is None


def test_chunks_joined_are_the_text_and_no_character_is_split():
    llm = reciting_llm(STORY)
    chunks = list(llm.stream("the"))
    output = llm.generate("the")
    assert "".join(chunk.text for chunk in chunks) == output.text == STORY[3:]
    assert all("�" not in chunk.text for chunk in chunks)
    assert [token for chunk in chunks for token in chunk.token_ids] == output.token_ids
    assert [chunk.finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert all(chunk.output is None for chunk in chunks[:-1])
    last = chunks[-1].output
    assert last is not None
    assert (last.text, last.token_ids, last.finish_reason) == (
        output.text,
        output.token_ids,
        "stop",
    )


def test_a_character_cut_off_by_the_length_shows_as_replaced():
    llm = reciting_llm("a한")
    output = llm.generate("a", max_new_tokens=2)
    assert output.text == "�"
    assert "".join(chunk.text for chunk in llm.stream("a", max_new_tokens=2)) == "�"
    assert output.finish_reason == "length"


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, VOCAB_SIZE - 1), min_size=1, max_size=12), st.integers(0, 50))
def test_whatever_is_drawn_chunks_joined_are_the_text(prompt, seed):
    llm = toy_llm()
    prompt = [*prompt, *toy_tokenizer().encode("a")]  # so it ends with a whole character
    wishes = {"max_new_tokens": 20, "temperature": 2.0, "seed": seed}
    chunks = list(llm.stream(prompt, **wishes))
    output = llm.generate(prompt, **wishes)
    ended = output.finish_reason == "stop"
    assert "".join(chunk.text for chunk in chunks) == output.text
    assert output.text == toy_tokenizer().decode(
        output.token_ids[:-1] if ended else output.token_ids, continuation=True
    )


def test_a_list_is_answered_in_order_and_as_if_alone():
    llm = toy_llm(num_blocks=40)
    prompts = ["the cat", "a", "much longer than the others", "z" * 30]
    wishes = {"max_new_tokens": 12, "temperature": 1.5, "seed": 4, "logprobs": 1}
    together = llm.generate(prompts, **wishes)
    for prompt, output in zip(prompts, together, strict=True):
        alone = llm.generate(prompt, **wishes)
        assert output.prompt == prompt
        assert output.token_ids == alone.token_ids
        assert output.logprobs == alone.logprobs
    assert llm.generate([]) == []


def test_prompts_may_be_ids():
    llm = toy_llm()
    ids = toy_tokenizer().encode("the cat")
    one = llm.generate(ids, max_new_tokens=4)
    assert one.prompt == "the cat"
    assert one.token_ids == llm.generate("the cat", max_new_tokens=4).token_ids
    assert [o.token_ids for o in llm.generate([ids, ids], max_new_tokens=4)] == [one.token_ids] * 2
    assert llm.generate(tuple(np.array(ids)), max_new_tokens=4).token_ids == one.token_ids


def test_special_tokens_are_parsed_on_request_only():
    llm = toy_llm()
    assert BOS not in llm.generate("<|start|>a", max_new_tokens=1).prompt_token_ids
    parsed = llm.generate("<|start|>a", max_new_tokens=1, parse_special=True)
    assert parsed.prompt_token_ids[0] == BOS


def test_the_seed_drawn_is_told_and_repeats_the_output():
    llm = toy_llm()
    first = llm.generate("a", max_new_tokens=20, temperature=1.5)
    assert first.config.seed is not None
    again = llm.generate("a", config=first.config)
    assert again.token_ids == first.token_ids
    seeds = {llm.generate("a", max_new_tokens=1, top_k=5).config.seed for _ in range(3)}
    assert len(seeds) == 3
    assert llm.generate("a", max_new_tokens=1).config.seed is None  # greedy draws nothing


def test_settings_win_over_the_config():
    config = GenerationConfig(max_new_tokens=3, temperature=0.5, seed=1)
    output = toy_llm().generate("a", config, max_new_tokens=2)
    assert output.config == GenerationConfig(max_new_tokens=2, temperature=0.5, seed=1)
    assert len(output.token_ids) == 2


@pytest.mark.torch
def test_logprobs_are_the_raw_models():
    import torch

    llm = toy_llm()
    output = llm.generate("ab", max_new_tokens=3, logprobs=2, temperature=0.5, top_k=3, seed=1)
    history = list(output.prompt_token_ids)
    assert output.logprobs is not None
    assert len(output.logprobs) == 3
    for token_id, entry in zip(output.token_ids, output.logprobs, strict=True):
        row = torch.from_numpy(improvise(VOCAB_SIZE)(tuple(history)))
        expected = row.double().log_softmax(0)
        assert entry.token_id == token_id
        assert entry.logprob == pytest.approx(float(expected[token_id]), abs=1e-9)
        assert entry.rank == 1 + int((expected > expected[token_id]).sum())
        assert [other.token_id for other in entry.top] == expected.topk(2).indices.tolist()
        assert entry.bytes == toy_tokenizer().token_bytes(token_id)
        history.append(token_id)


def test_streamed_logprobs_are_the_outputs():
    chunks = list(toy_llm().stream("ab", max_new_tokens=3, logprobs=1))
    streamed = [entry for chunk in chunks for entry in chunk.logprobs or []]
    assert chunks[-1].output is not None
    assert streamed == chunks[-1].output.logprobs
    assert len(streamed) == 3


def test_a_stream_left_early_frees_its_blocks():
    llm = toy_llm(num_blocks=8, context_length=32)
    for _ in range(5):  # each would take the whole pool
        stream = llm.stream("abc")
        next(stream)
        stream.close()
    assert len(llm.generate("abc", max_new_tokens=5).token_ids) == 5


def test_a_stream_never_read_costs_nothing():
    llm = toy_llm(num_blocks=8, context_length=32)
    streams = [llm.stream("abc") for _ in range(3)]
    assert len(llm.generate("abc", max_new_tokens=5).token_ids) == 5
    assert len(list(streams[0])) > 0


def test_streams_read_in_turns_run_side_by_side():
    llm = toy_llm()
    expected = [llm.generate(text, max_new_tokens=6).token_ids for text in ("a", "b")]
    pair = [llm.stream(text, max_new_tokens=6) for text in ("a", "b")]
    turns = list(zip(*pair, strict=True))
    for found, wanted in zip(zip(*turns, strict=True), expected, strict=True):
        assert [token for chunk in found for token in chunk.token_ids] == wanted


def test_interrupting_a_stream_leaves_the_llm_usable():
    backend = ScriptedBackend(improvise(VOCAB_SIZE), vocab_size=VOCAB_SIZE)
    llm = LLM(backend, tokenizer=toy_tokenizer())
    expected = llm.generate("a", max_new_tokens=4).token_ids
    stream, other = llm.stream("a", max_new_tokens=4), llm.stream("b", max_new_tokens=4)
    for reader in (stream, other, stream):  # the other's step has brought this one a second token
        next(reader)
    forward = backend.forward
    backend.forward = lambda batch: (_ for _ in ()).throw(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    backend.forward = forward
    with pytest.raises(Exception, match="a step failed: KeyboardInterrupt"):
        next(other)
    assert llm.generate("a", max_new_tokens=4).token_ids == expected


def test_broken_logits_are_an_error():
    llm = toy_llm(lambda history: np.full(VOCAB_SIZE, np.nan, np.float32))
    for ask in (llm.generate, llm.next, llm.score, lambda prompt: list(llm.stream(prompt))):
        with pytest.raises(NumericalError, match="NaN"):
            ask("ab")


@pytest.mark.torch
def test_next_is_the_softmax_before_and_after():
    import torch

    llm = toy_llm()
    found = llm.next("ab", top=4, temperature=0.5, top_k=3)
    row = torch.from_numpy(improvise(VOCAB_SIZE)(tuple(toy_tokenizer().encode("ab")))).double()
    raw, halved = row.softmax(0), (row / 0.5).softmax(0)
    best = raw.topk(4).indices.tolist()
    assert [token.token_id for token in found.tokens] == best
    kept = halved[best[:3]].sum()
    for place, token in enumerate(found.tokens):
        assert token.probability == pytest.approx(float(raw[token.token_id]), rel=1e-9)
        assert token.logprob == pytest.approx(float(raw[token.token_id].log()), abs=1e-9)
        assert token.logit == pytest.approx(float(row[token.token_id]), rel=1e-7)
        expected = float(halved[token.token_id] / kept) if place < 3 else 0.0
        assert token.final_probability == pytest.approx(expected, rel=1e-5)
    assert found.entropy == pytest.approx(float(torch.distributions.Categorical(raw).entropy()))
    assert (found.candidates, found.vocab_size) == (3, VOCAB_SIZE)
    assert found.prompt_token_ids == toy_tokenizer().encode("ab")


def test_next_is_greedy_without_settings():
    found = toy_llm().next("ab", top=2)
    assert [token.final_probability for token in found.tokens] == [1.0, 0.0]
    assert found.candidates == 1


@pytest.mark.torch
@pytest.mark.parametrize("adds_bos", [False, True])
def test_score_is_the_product_rule(adds_bos):
    import torch

    llm = toy_llm(adds_bos=adds_bos)
    text = "the cat sat " * 20
    found = llm.score(text, top=1)
    ids = toy_tokenizer(adds_bos=adds_bos).encode(text)
    expected = [
        torch.from_numpy(improvise(VOCAB_SIZE)(tuple(ids[:at]))).double().log_softmax(0)[ids[at]]
        for at in range(1, len(ids))
    ]
    listed = found.tokens if adds_bos else found.tokens[1:]
    assert [entry.token_id for entry in listed] == ids[1:]
    assert [entry.logprob for entry in listed] == pytest.approx(list(map(float, expected)))
    assert adds_bos or found.tokens[0].logprob is None
    assert found.logprob == pytest.approx(float(sum(expected)))
    assert found.num_scored == len(ids) - 1
    assert found.perplexity == pytest.approx(float(torch.stack(expected).mean().neg().exp()))
    assert all(len(entry.top) == 1 for entry in listed)
    assert "".join(entry.token for entry in found.tokens) == text


def test_a_lone_token_can_be_scored_after_a_beginning_token_only():
    assert toy_llm(adds_bos=True).score("a").num_scored == 1
    with pytest.raises(RequestError, match="'a' makes one token"):
        toy_llm().score("a")
    with pytest.raises(RequestError, match="makes one token"):
        toy_llm(adds_bos=True).score("")


def test_outputs_are_json():
    llm = toy_llm()
    for result in (
        llm.generate("ab", max_new_tokens=2, logprobs=1),
        llm.next("ab"),
        llm.score("ab"),
        list(llm.stream("ab", max_new_tokens=1))[-1],
    ):
        assert json.loads(json.dumps(result.to_dict()))


@pytest.mark.parametrize("ask", ["generate", "stream", "next", "score"])
@pytest.mark.parametrize(
    ("prompt", "message"),
    [("", "no tokens"), ("a" * 300, "but the context has 256"), ("a\ud800", "lone surrogate")],
)
def test_prompts_that_cannot_run_are_refused_at_once(ask, prompt, message):
    with pytest.raises(RequestError, match=message):
        getattr(toy_llm(), ask)(prompt)


@pytest.mark.parametrize("prompt", [5, None, [1, "a"], [1.5], [None], b"abc"])
def test_what_is_no_prompt_is_refused(prompt):
    with pytest.raises(RequestError, match=r"prompt=.* must be a str|text is None"):
        toy_llm().generate(prompt, max_new_tokens=1)


def test_ids_out_of_range_are_refused():
    with pytest.raises(RequestError, match=f"token {VOCAB_SIZE} at position 1 is out of range"):
        toy_llm().generate([0, VOCAB_SIZE])


@pytest.mark.parametrize("ask", ["generate", "stream", "next"])
@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"temprature": 1}, "did you mean 'temperature'"),
        ({"temperature": -1}, "temperature=-1"),
        ({"config": {"top_k": 1}}, "must be a GenerationConfig"),
    ],
)
def test_bad_settings_are_refused_at_once(ask, wishes, message):
    with pytest.raises(ConfigError, match=message):
        getattr(toy_llm(), ask)("a", **wishes)


def test_next_and_score_refuse_what_has_no_effect():
    llm = toy_llm()
    with pytest.raises(ConfigError, match="max_new_tokens=5 has no effect"):
        llm.next("a", max_new_tokens=5)
    for wrong in (0, -1, 2.5):
        with pytest.raises(ConfigError, match="top="):
            llm.next("a", top=wrong)
    with pytest.raises(ConfigError, match="top=-1"):
        llm.score("ab", top=-1)


def test_a_backend_needs_a_tokenizer_and_takes_no_settings():
    backend = ScriptedBackend(improvise(VOCAB_SIZE), vocab_size=VOCAB_SIZE)
    with pytest.raises(ConfigError, match="needs a tokenizer"):
        LLM(backend)
    for name, value in (("threads", 2), ("num_blocks", 9), ("kv_share", 0.5)):
        with pytest.raises(ConfigError, match=f"{name}={value} has no effect"):
            LLM(backend, tokenizer=toy_tokenizer(), **{name: value})
    with pytest.raises(ConfigError, match="model=5 must be"):
        LLM(5)
    with pytest.raises(ModelNotFoundError):
        LLM("no-such-model")


def test_a_closed_llm_says_so():
    with toy_llm() as llm:
        stream = llm.stream("a")
        next(stream)
    llm.close()
    for ask in (llm.generate, llm.next, llm.score, llm.stream):
        with pytest.raises(RequestError, match="closed"):
            ask("ab")
    with pytest.raises(RequestError, match="closed"):
        next(stream)


def test_its_repr_says_what_it_runs_and_whether_it_is_closed():
    with toy_llm() as llm:
        assert repr(llm) == "LLM('a script over 263 tokens')"
        assert VOCAB_SIZE == 263
    assert repr(llm) == "LLM('a script over 263 tokens', closed)"


def test_a_closed_llm_has_let_go_of_its_model():
    backend = ScriptedBackend(improvise(VOCAB_SIZE), vocab_size=VOCAB_SIZE)
    llm = LLM(backend, tokenizer=toy_tokenizer())
    llm.generate("the cat", max_new_tokens=2)
    kept = [weakref.ref(backend), weakref.ref(engine_of(llm))]
    del backend
    llm.close()
    gc.collect()
    assert [ref() for ref in kept] == [None, None]
    assert llm.info.vocab_size == VOCAB_SIZE


def test_a_progress_bar_stays_off_stdout(capsys):
    toy_llm().generate(["a", "b"], max_new_tokens=2, progress=True)
    assert capsys.readouterr().out == ""


def test_the_default_models_file_writes(default_model_path):
    with LLM(default_model_path) as llm:
        output = llm.generate("The capital of France is", max_new_tokens=5)
        assert "Paris" in output.text
        assert output.token_ids == llm.generate([output.prompt] * 3, max_new_tokens=5)[1].token_ids
