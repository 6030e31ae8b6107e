"""Many prompts and samples: in order, as if alone, within bounds, and nothing left behind."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich import console
from support.toy import VOCAB_SIZE, engine_of, reciting_llm, toy_llm, toy_tokenizer

from foretell import ConfigError, GenerationConfig, NumericalError, RequestError
from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.errors import QueueFullError
from foretell.inputs.recommended import Recommended
from foretell.llm import LLM
from foretell.outputs import Chunk, GenerationOutput
from foretell.streaming import describe
from foretell.streaming import run as jobs

HOT = {"temperature": 1.5, "max_new_tokens": 12}


def engine_llm(script: Any = None, *, num_blocks: int = 128, **engine_settings: Any) -> LLM:
    """A toy LLM with engine settings."""
    backend = ScriptedBackend(
        script or improvise(VOCAB_SIZE), vocab_size=VOCAB_SIZE, num_blocks=num_blocks
    )
    return LLM(backend, tokenizer=toy_tokenizer(), **engine_settings)


def essence(output: GenerationOutput) -> tuple[Any, ...]:
    """All of an output but its clock times and what the cache held."""
    return (
        output.text,
        output.token_ids,
        output.stop_reason,
        output.logprobs,
        output.prompt,
        output.index,
    )


def joined(chunks: list[Chunk]) -> list[GenerationOutput]:
    """The outputs of chunks by prompt and sample, after checking that the chunks add up to them."""
    streams: dict[tuple[int, int], list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        streams[chunk.prompt_index, chunk.index].append(chunk)
    for (_, index), stream in streams.items():
        output = stream[-1].require_output()
        assert output.index == index
        assert "".join(chunk.text for chunk in stream) == output.text
        assert [i for chunk in stream for i in chunk.token_ids] == output.token_ids
        assert all(chunk.output is None for chunk in stream[:-1])
    return [streams[key][-1].require_output() for key in sorted(streams)]


def is_idle(llm: LLM) -> bool:
    """Whether the engine has nothing to do and all its blocks."""
    stats = llm.stats()
    return (stats.running, stats.waiting, stats.free_blocks) == (0, 0, stats.num_blocks)


def test_samples_come_in_order_and_are_the_same_however_many():
    llm = toy_llm()
    five = llm.generate("the cat", num_return_sequences=5, seed=3, **HOT)
    assert [output.index for output in five] == list(range(5))
    assert len({tuple(output.token_ids) for output in five}) == 5
    two = llm.generate("the cat", num_return_sequences=2, seed=3, **HOT)
    one = llm.generate("the cat", seed=3, **HOT)
    assert [essence(output) for output in two] == [essence(output) for output in five[:2]]
    assert essence(one) == essence(five[0])
    assert {output.config for output in five} == {
        GenerationConfig(num_return_sequences=5, seed=3, **HOT)
    }


def test_samples_of_a_prompt_share_a_seed_and_prompts_do_not():
    outputs = toy_llm().generate(["a", "b"], num_return_sequences=2, **HOT)
    assert [(output.prompt, output.index) for output in outputs] == [
        *(("a", 0), ("a", 1), ("b", 0), ("b", 1))
    ]
    seeds = [output.config.seed for output in outputs]
    assert seeds[0] == seeds[1] != seeds[2] == seeds[3]


def test_a_list_of_one_is_a_list():
    llm = toy_llm()
    assert len(llm.generate(["a"], max_new_tokens=1)) == 1
    assert list(llm.stream([])) == []


def test_streams_of_several_prompts_and_samples_interleave():
    llm = toy_llm()
    wishes = {"num_return_sequences": 3, "seed": 8, "ignore_eos": True, **HOT}
    chunks = list(llm.stream(["the cat", "dog"], **wishes))
    outputs = llm.generate(["the cat", "dog"], **wishes)
    assert [essence(output) for output in joined(chunks)] == [essence(output) for output in outputs]
    first = [(chunk.prompt_index, chunk.index) for chunk in chunks]
    last_of_one = max(place for place, key in enumerate(first) if key == (0, 0))
    assert {(1, 2), (0, 2)} <= set(first[:last_of_one])


def test_a_text_that_ends_one_sample_leaves_the_others():
    llm = toy_llm()
    wishes = {"num_return_sequences": 6, "seed": 1, "ignore_eos": True, **HOT}
    free = llm.generate("the cat", **wishes)
    text = next(c for c in free[2].text[:4] if sum(c in other.text for other in free) < 6)
    before = llm.stats().generated_tokens
    stopped = llm.generate("the cat", stop=text, **wishes)
    assert llm.stats().generated_tokens - before == sum(
        output.usage.completion_tokens for output in stopped
    )
    for output, whole in zip(stopped, free, strict=True):
        found = text in whole.text
        assert output.text == (whole.text[: whole.text.index(text)] if found else whole.text)
        assert output.stop_reason.kind == ("string" if found else "max_new_tokens")
    assert {output.stop_reason.kind for output in stopped} == {"string", "max_new_tokens"}
    assert is_idle(llm)


PROMPTS = st.lists(
    st.sampled_from(["a", "the cat", "the cat sat on", "고양이"]), min_size=1, max_size=5
)
unhurried = settings(deadline=None, max_examples=40)


@unhurried
@given(
    PROMPTS,
    st.integers(1, 3),
    st.sampled_from([(), ("e",), ("a", "th")]),
    st.integers(0, 30),
    st.sampled_from([60, 16]),
    st.sampled_from([None, 1]),
    st.sampled_from([1, 64]),
)
def test_together_is_as_alone(prompts, number, stop, seed, num_blocks, max_waiting, unstarted):
    wishes = {"num_return_sequences": number, "stop": stop, "seed": seed, "logprobs": 1, **HOT}
    llm = engine_llm(num_blocks=num_blocks, max_waiting=max_waiting, max_batch_tokens=7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "MAX_UNSTARTED", unstarted)
        together = joined(list(llm.stream(prompts, **wishes)))
    alone = [output for prompt in prompts for output in toy_llm().generate([prompt], **wishes)]
    assert [essence(output) for output in together] == [essence(output) for output in alone]
    assert is_idle(llm)


def test_a_long_list_is_prepared_as_the_engine_has_room():
    llm = engine_llm(max_running=4, max_waiting=3)
    add, waiting = engine_of(llm).add, []

    def watched(request, **rest):
        request_id = add(request, **rest)
        waiting.append(llm.stats().waiting)
        return request_id

    engine_of(llm).add = watched
    prompts = [f"prompt {number}" for number in range(300)]
    stream = llm.stream(prompts, max_new_tokens=3, ignore_eos=True)
    chunks = [next(stream)]
    assert len(waiting) <= 8  # of 300: those that run and wait
    chunks += stream
    assert max(waiting) == 3
    assert [output.prompt for output in joined(chunks)] == prompts
    assert is_idle(llm)


def test_without_a_bound_few_requests_wait_all_the_same():
    llm = engine_llm(max_running=4)
    stream = llm.stream(["a"] * 300, max_new_tokens=2, ignore_eos=True)
    next(stream)
    assert llm.stats().waiting <= jobs.MAX_UNSTARTED
    assert len(list(stream)) == 599


def test_readers_share_a_bounded_queue():
    llm = engine_llm(max_running=1, max_waiting=1)
    streams = [llm.stream(text, max_new_tokens=5, ignore_eos=True) for text in ("a", "b", "c", "d")]
    turns = [[next(stream) for stream in streams] for _ in range(5)]
    texts = ["".join(turn[place].text for turn in turns) for place in range(4)]
    assert texts == [llm.generate(t, max_new_tokens=5, ignore_eos=True).text for t in "abcd"]
    assert llm.next("a").tokens  # as well as what generates nothing


def test_a_queue_that_cannot_empty_is_an_error(monkeypatch):
    llm = engine_llm(max_waiting=1)

    def refuse(request, **_):
        raise QueueFullError("max_waiting=1: that many requests are waiting already")

    monkeypatch.setattr(engine_of(llm), "add", refuse)
    with pytest.raises(QueueFullError, match="that many requests are waiting"):
        llm.generate("a", max_new_tokens=1)


@pytest.mark.parametrize("ask", ["generate", "stream"])
@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        (["a", "b", ""], r"prompts\[2\]: the prompt has no tokens"),
        (["a", "b" * 300], r"prompts\[1\]: a prompt of 300 tokens .* but the context has 256"),
        (["a", [1, VOCAB_SIZE]], r"prompts\[1\]: prompt token \d+ at position 1 is out of range"),
        (["a", 5], r"prompts\[1\]: prompt=5 must be a str"),
    ],
)
def test_a_bad_prompt_is_told_by_its_place_before_any_work(ask, prompts, message):
    llm = toy_llm()
    with pytest.raises(RequestError, match=message):
        getattr(llm, ask)(prompts, max_new_tokens=1)
    assert llm.backend.batches == []


def test_bad_settings_are_told_before_any_work():
    llm = toy_llm()
    for wishes in ({"top_p": 2.0}, {"num_return_sequences": 2}, {"stop_regex": "("}):
        with pytest.raises(ConfigError):
            llm.stream(["a", "b"], **wishes)
    assert llm.backend.batches == []
    with pytest.raises(RequestError, match="num_return_sequences=9 takes 9 sequences"):
        engine_llm(max_running=8).generate("a", num_return_sequences=9, top_k=5)


def test_what_a_models_files_recommend_decides_whether_samples_differ():
    llm = toy_llm()
    wishes = {"preset": "model", "num_return_sequences": 2, "max_new_tokens": 3}
    llm._require_open().inputs._recommended = Recommended({"do_sample": False})
    with pytest.raises(ConfigError, match="num_return_sequences=2 contradicts greedy decoding"):
        llm.generate("a", **wishes)
    assert llm.backend.batches == []
    llm._require_open().inputs._recommended = Recommended({"temperature": 1.5})
    assert [output.index for output in llm.generate("a", **wishes)] == [0, 1]


def test_what_looks_at_a_prompt_does_so_once():
    llm = toy_llm()
    config = GenerationConfig(top_k=3, num_return_sequences=4)
    found = llm.next("a", config=config)
    assert found.candidates == 3
    assert found.config.num_return_sequences == 1
    assert is_idle(llm)
    with pytest.raises(ConfigError, match="num_return_sequences=4 has no effect on the next"):
        llm.next("a", num_return_sequences=4, top_k=3)
    with pytest.raises(ConfigError, match="sequences=4 must be 1: explain shows one text"):
        llm.explain("a", config)


def failing(start: str, fail: Callable[[], Any]) -> Callable[[tuple[int, ...]], Any]:
    """A script that fails at the third token after a prompt."""
    ids, improvised = tuple(toy_tokenizer().encode(start)), improvise(VOCAB_SIZE)

    def script(history):
        is_its = history[: len(ids)] == ids and len(history) == len(ids) + 2
        return fail() if is_its else improvised(history)

    return script


def test_an_error_on_the_way_ends_all_and_tells_the_place():
    llm = engine_llm(failing("bad", lambda: np.full(VOCAB_SIZE, np.nan, np.float32)))
    wishes = {"max_new_tokens": 5, "ignore_eos": True}
    with pytest.raises(NumericalError, match=r"prompts\[2\]: .*NaN"):
        llm.generate(["good", "fine", "bad", "well"], **wishes)
    assert is_idle(llm)
    with pytest.raises(NumericalError, match=r"^(?!prompts).*NaN"):
        llm.generate("bad", num_return_sequences=3, temperature=1.0, **wishes)
    assert is_idle(llm)
    assert len(llm.generate("good", **wishes).token_ids) == 5


def test_an_error_of_a_users_own_function_passes_through():
    def judge(text, ids):
        if len(ids) == 2:
            raise LookupError("mine")
        return False

    llm = toy_llm()
    with pytest.raises(LookupError, match="mine"):
        llm.generate(["a", "b"], stopping_criteria=judge, ignore_eos=True, max_new_tokens=5)
    assert is_idle(llm)


def test_an_interrupt_leaves_nothing_behind():
    def interrupt():
        raise KeyboardInterrupt

    llm = engine_llm(failing("bad", interrupt))
    with pytest.raises(KeyboardInterrupt):
        llm.generate(["a", "bad", "b"] * 100, max_new_tokens=5, ignore_eos=True, progress=True)
    assert is_idle(llm)
    assert len(llm.generate("a", max_new_tokens=5, ignore_eos=True).token_ids) == 5


def test_a_stream_of_many_left_early_frees_all():
    llm = toy_llm()
    stream = llm.stream(["a", "b"], num_return_sequences=3, ignore_eos=True, **HOT)
    for _ in range(8):
        next(stream)
    assert not is_idle(llm)
    stream.close()
    assert is_idle(llm)


def test_a_prompt_that_begins_like_an_earlier_one_is_partly_cached():
    llm = toy_llm()  # blocks of four tokens
    (prompt,) = ["zwölf Boxkämpfer"]
    num_tokens = len(toy_tokenizer().encode(prompt))
    first = llm.generate(prompt, max_new_tokens=1)
    again = llm.generate(prompt, num_return_sequences=2, top_k=5, max_new_tokens=1)
    full = (num_tokens - 1) // 4 * 4
    assert first.usage.cached_tokens == 0
    assert [output.usage.cached_tokens for output in again] == [full, full]
    assert [output.usage.prompt_tokens for output in again] == [num_tokens] * 2
    stats = llm.stats()
    assert (stats.prompt_tokens, stats.cached_tokens) == (2 * num_tokens, full)
    assert stats.generated_tokens == 3
    assert stats.hit_rate == full / (2 * num_tokens)
    without = engine_llm(prefix_caching=False)
    assert [without.generate(prompt, max_new_tokens=1).usage.cached_tokens for _ in "ab"] == [0, 0]


@pytest.mark.parametrize("streams", [True, False])
def test_prompts_and_traces_are_described_once(streams: bool, monkeypatch) -> None:
    counts = dict.fromkeys(("_describe_one", "_describe_candidate"), 0)

    def noting(name: str) -> None:
        plain = getattr(describe, name)

        def count(*arguments: Any) -> Any:
            counts[name] += 1
            return plain(*arguments)

        monkeypatch.setattr(describe, name, count)

    for name in counts:
        noting(name)
    llm, prompt = toy_llm(), [70, 71, 72, 73]
    wishes = {"prompt_logprobs": 0, "num_return_sequences": 3, "seed": 1, "trace": True, **HOT}
    if streams:
        chunks = [*llm.stream(prompt, **wishes)]
        outputs = [chunk.output for chunk in chunks if chunk.output is not None]
    else:
        outputs = llm.generate(prompt, **wishes)
    assert counts["_describe_one"] == len(prompt) - 1
    steps = [step for output in outputs for step in output.trace]
    assert counts["_describe_candidate"] == sum(1 + len(step.runners_up) for step in steps)


def test_prompt_logprobs_are_told_with_every_sample():
    llm = toy_llm()
    wishes = {"prompt_logprobs": 1, "num_return_sequences": 2, "seed": 1, **HOT}
    alone = llm.generate("the cat", prompt_logprobs=1, max_new_tokens=1).prompt_logprobs
    assert [o.prompt_logprobs for o in llm.generate("the cat", **wishes)] == [alone, alone]


def test_engine_settings_are_checked_and_stats_end_with_the_llm():
    for name, value in (("max_batch_tokens", 0), ("max_running", None), ("max_waiting", 1.5)):
        with pytest.raises(ConfigError, match=f"{name}={value} must be"):
            engine_llm(**{name: value})
    llm = toy_llm()
    llm.close()
    for ask in (llm.stats, lambda: engine_of(llm), lambda: llm.backend):
        with pytest.raises(RequestError, match="closed"):
            ask()


def test_the_bar_counts_texts_and_tells_the_speed(monkeypatch):
    written = io.StringIO()
    made = console.Console
    monkeypatch.setattr(console, "Console", lambda stderr: made(file=written, force_terminal=True))
    llm = reciting_llm("the cat sat", "the dog sat")
    llm.generate(["the cat", "the dog", "the cat"], progress=True)
    shown = written.getvalue()
    assert "3/3" in shown
    assert "tokens/s" in shown


def test_samples_of_a_request_share_the_time_for_their_searches():
    """Each has enough by itself; others wait for all of them."""
    llm = toy_llm()
    inputs = llm._require_open().inputs
    config = inputs.settings(None, {"stop_regex": "x+y", "num_return_sequences": 3, "top_k": 5})
    job = inputs.job("a", inputs.template(config), parse_special=False)
    streamers = jobs.RequestStreamer(job, llm.tokenizer)._streamers
    assert len({id(one._matcher._budget) for one in streamers}) == 1
