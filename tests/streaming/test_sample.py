"""Chunks joined are the output, whatever cuts the text: tokens, stops, limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.toy import BOS, EOS, VOCAB_SIZE, reciting_llm, toy_llm, toy_tokenizer

from foretell.config import GenerationConfig
from foretell.config.settings import TEXT_STOPS
from foretell.decoding.logprobs import RankedToken, TokenReport
from foretell.engine.events import EndEvent, PromptEvent, TokenEvent
from foretell.engine.request import Request
from foretell.errors import ConfigError, RequestError
from foretell.outputs import Chunk, GenerationOutput, StopReason
from foretell.streaming.job import Job
from foretell.streaming.sample import SampleStreamer

TOKENIZER = toy_tokenizer()
BYTE_IDS = {TOKENIZER.token_bytes(i): i for i in range(256)}
FAMILY = "👩‍👩‍👧"  # three emoji and two joiners
TEXT = st.lists(
    st.sampled_from(
        ["한", "국", "어", "é", "가", FAMILY, "👍🏽", "\ufffd", " cat", "the", "a", "\n"]
    ),
    max_size=6,
).map("".join)
unhurried = settings(deadline=None)
STAGES = ("raw", "processed", "final")


def byte_ids(data: bytes) -> list[int]:
    return [BYTE_IDS[bytes([byte])] for byte in data]


def reports(token_id: int, at: int) -> dict[Any, TokenReport]:
    """Made-up log-probabilities that tell place and stage."""
    return {
        stage: TokenReport(RankedToken(token_id, -float(at) - place / 10, 1), ())
        for place, stage in enumerate(STAGES)
    }


@dataclass
class Run:
    """What came of reading events until the output was there."""

    chunks: list[Chunk]
    num_read: int

    @property
    def output(self) -> GenerationOutput:
        return self.chunks[-1].require_output()

    @property
    def texts(self) -> list[str]:
        return [chunk.text for chunk in self.chunks]

    @property
    def reason(self) -> tuple[str, Any]:
        assert self.output.stop_reason is not None
        return self.output.stop_reason.kind, self.output.stop_reason.value


def streamer_of(prompt: Sequence[int] = (0,), **wishes: Any) -> SampleStreamer:
    config = GenerationConfig(**wishes)
    return SampleStreamer(Job("the prompt", Request(prompt, config), config), TOKENIZER)


def read(
    ids: Sequence[int],
    *,
    end: StopReason | None = None,
    prompt: Sequence[int] = (0,),
    **wishes: Any,
) -> Run:
    """Read these tokens, of which the last has the engine's stop reason `end`."""
    streamer = streamer_of(prompt, **wishes)
    end = end or StopReason("max_new_tokens", len(ids))
    run = Run([], 0)
    for at, token_id in enumerate(ids):
        reason = end if at == len(ids) - 1 else None
        chunk = streamer.take(TokenEvent(1, token_id, reports(token_id, at), reason))
        assert chunk is not None
        run.chunks.append(chunk)
        run.num_read += 1
        if streamer.output is not None:
            break
    assert all(chunk.output is None for chunk in run.chunks[:-1])
    return run


def naive_cut(text: str, stops: Sequence[str], *, include: bool) -> tuple[str, str | None]:
    """Decode all, and cut at the match that ends first, the longest of those."""
    for end in range(1, len(text) + 1):
        found = [stop for stop in stops if text[:end].endswith(stop)]
        if found:
            longest = max(found, key=len)
            return text[: end if include else end - len(longest)], longest
    return text, None


@st.composite
def cut_texts(draw: st.DrawFn) -> tuple[list[int], list[str]]:
    """A text, its bytes a token each or merged, some broken off; and parts of it as stops."""
    text = draw(TEXT)
    data = bytearray(text.encode())
    for place in draw(st.lists(st.integers(0, 200), max_size=2)):
        if data:
            del data[place % len(data)]
    merged = draw(st.booleans())
    shown = data.decode(errors="replace")
    ids = TOKENIZER.encode(shown) if merged else byte_ids(bytes(data))
    for place in draw(st.lists(st.integers(0, 200), max_size=2)):
        ids.insert(place % (len(ids) + 1), BOS)  # a control token has no text
    stops = draw(st.lists(TEXT.filter(bool), max_size=2))
    for start, length in draw(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 4)))):
        part = shown[start : start + length]
        stops += [part, part + "!"] if part else []
    return ids, stops


@unhurried
@given(cut_texts(), st.booleans(), st.booleans())
def test_chunks_joined_are_the_text_cut_at_its_first_stop(
    case: tuple[list[int], list[str]], include: bool, ends_itself: bool
) -> None:
    ids, stops = case
    include = include and bool(stops)
    end = StopReason("eos", EOS) if ends_itself else None
    all_ids = [*ids, EOS] if ends_itself else [*ids, BOS]
    run = read(all_ids, end=end, stop=stops, include_stop_str_in_output=include, logprobs=0)
    whole = TOKENIZER.decode(all_ids, continuation=True)
    text, stop = naive_cut(whole, stops, include=include)
    output = run.output
    assert output.text == "".join(run.texts) == text
    assert output.finish_reason == ("stop" if ends_itself or stop is not None else "length")
    if stop is not None:
        assert run.reason == ("string", stop)
    elif ends_itself:
        assert run.reason == ("eos", EOS)
    check_joined(run)
    check_tokens(run, all_ids)


def check_joined(run: Run) -> None:
    """Ids, log-probabilities and byte offsets of the chunks are the output's."""
    output, num_bytes = run.output, 0
    for chunk in run.chunks:
        assert chunk.start_byte == num_bytes
        num_bytes += len(chunk.text.encode())
    assert [i for chunk in run.chunks for i in chunk.token_ids] == output.token_ids
    assert [one for chunk in run.chunks for one in chunk.logprobs or []] == output.logprobs
    assert [one.token_id for one in output.logprobs or []] == output.token_ids
    assert [one.logprob for one in output.logprobs or []] == [
        -float(at) for at in range(len(output.token_ids))
    ]
    assert output.usage.completion_tokens == run.num_read


def places_of(ids: list[int]) -> list[tuple[int, int]]:
    """The characters `start:stop` that each token has bytes of, by the text of all bytes so far.

    A byte is part of the last character of the text up to it. A token without bytes is where the
    text ends that is there so far.
    """
    data, places = b"", []
    for token_id in ids:
        begin = data
        data += b"" if TOKENIZER.is_special(token_id) else TOKENIZER.token_bytes(token_id)
        ends = [
            len(data[:end].decode(errors="replace")) for end in range(len(begin) + 1, len(data) + 1)
        ]
        whole = len(data.decode(errors="replace"))
        places.append((ends[0] - 1, ends[-1]) if ends else (whole, whole))
    return places


def check_tokens(run: Run, ids: list[int]) -> None:
    """Each token comes as soon as its text is shown; at a cut those with text before it stay."""
    places, num_shown, num_tokens = places_of(ids), 0, 0
    for num_read, chunk in enumerate(run.chunks, 1):
        num_shown += len(chunk.text)
        num_tokens += len(chunk.token_ids)
        shown = [stop <= num_shown for _, stop in places[:num_read]]
        if chunk.output is not None:
            shown = [
                any((one, start < num_shown))
                for one, (start, _) in zip(shown, places, strict=False)
            ]
        assert shown == [True] * num_tokens + [False] * (num_read - num_tokens)
    assert run.output.token_ids == ids[:num_tokens]


@pytest.mark.parametrize("include", [False, True])
def test_a_stop_across_tokens_is_never_shown(include: bool) -> None:
    ids = TOKENIZER.encode("a##b###c")
    run = read(ids, stop="###", include_stop_str_in_output=include)
    assert run.texts == ["a", "", "", "##b", "", "", "###" if include else ""]
    assert [len(chunk.token_ids) for chunk in run.chunks] == [1, 0, 0, 3, 0, 0, 3 * include]
    assert run.output.usage.completion_tokens == 7
    assert run.reason == ("string", "###")


def test_a_token_that_gave_something_else_too_stays() -> None:
    ids = TOKENIZER.encode("a cat")
    assert len(ids) == 2
    run = read(ids, stop="ca")
    assert (run.output.text, run.output.token_ids) == ("a ", ids)
    assert read(ids, stop=" c").output.token_ids == ids[:1]


@pytest.mark.parametrize(
    "end", [StopReason("eos", EOS), StopReason("token", EOS), StopReason("loop", 2)]
)
def test_what_was_held_is_given_back_at_the_end(end: StopReason) -> None:
    run = read([*TOKENIZER.encode("a##"), EOS], end=end, stop="###")
    assert run.output.text == "a##"
    assert run.output.token_ids == [*TOKENIZER.encode("a##"), EOS]
    assert run.output.stop_reason == end


def test_a_stop_token_gives_no_text() -> None:
    ids = TOKENIZER.encode("ab")
    run = read(ids, end=StopReason("token", ids[1]), stop_token_ids=[ids[1]])
    assert (run.output.text, run.output.token_ids) == ("a", ids)
    assert read(ids, end=StopReason("loop", 1)).output.text == "ab"


def test_a_stop_in_the_text_goes_before_the_limit() -> None:
    run = read(TOKENIZER.encode("a###"), stop="###")
    assert (run.reason, run.output.finish_reason) == (("string", "###"), "stop")


def test_an_unfinished_character_at_the_end_can_be_a_stop() -> None:
    ids = [*TOKENIZER.encode("a"), *byte_ids(b"\xf0\x9f"), EOS]
    run = read(ids, end=StopReason("eos", EOS), stop="\ufffd")
    assert (run.output.text, run.output.token_ids) == ("a", ids[:1])


def test_a_token_that_breaks_a_character_is_no_part_of_it() -> None:
    ids = [*byte_ids(b"\xf0\x9f"), *TOKENIZER.encode("#")]
    run = read(ids, stop="#")
    assert (run.output.text, run.output.token_ids) == ("\ufffd", ids[:2])


def test_a_regular_expression_ends_the_text() -> None:
    ids = TOKENIZER.encode("see\n\nUser: hi")
    run = read(ids, stop_regex=r"\n+User:")
    assert run.output.text == "see"
    assert run.reason == ("regex", "\n\nUser:")
    kept = read(ids, stop_regex=r"\n+User:", include_stop_str_in_output=True)
    assert kept.output.text == "see\n\nUser:"


@pytest.mark.parametrize(
    ("least", "text"),
    [
        ({}, "a"),
        ({"min_new_tokens": 2}, "a"),
        ({"min_new_tokens": 3}, "a#b"),
        ({"min_length": 4}, "a"),
        ({"min_length": 5}, "a#b"),
        ({"min_new_tokens": 9}, "a#b#c"),
    ],
)
@pytest.mark.parametrize("rule", ["stop", "stop_regex"])
def test_no_stop_acts_before_the_least_length(rule: str, least: dict[str, int], text: str) -> None:
    run = read(TOKENIZER.encode("a#b#c"), prompt=[0, 0], **{rule: "#"}, **least)
    assert run.output.text == text


def test_the_predicate_sees_text_and_ids_and_ends_both() -> None:
    seen: list[tuple[str, list[int]]] = []

    def criteria(text: str, ids: list[int]) -> bool:
        seen.append((text, ids))
        return len(ids) == 4

    ids = TOKENIZER.encode("ab##c")
    run = read(ids, stopping_criteria=criteria, stop="###", min_new_tokens=2)
    assert seen == [("ab", ids[:2]), ("ab#", ids[:3]), ("ab##", ids[:4])]
    assert (run.output.text, run.output.token_ids) == ("ab##", ids[:4])
    assert (run.reason, run.output.finish_reason) == (("criteria", None), "stop")


def test_log_probabilities_of_all_stages_are_cut_alike() -> None:
    ids = TOKENIZER.encode("ab##")
    run = read(ids, stop="##", logprobs=0, logprobs_stage=STAGES)
    by_stage = run.output.logprobs_by_stage
    assert by_stage is not None
    assert list(by_stage) == list(STAGES)
    for place, stage in enumerate(STAGES):
        entries = by_stage[stage]  # type: ignore[index]
        assert [one.logprob for one in entries] == [0.0 - place / 10, -1.0 - place / 10]
        assert {one.stage for one in entries} == {stage}
        joined = [one for chunk in run.chunks for one in chunk.logprobs_by_stage[stage]]  # type: ignore[index]
        assert joined == entries
    assert run.output.logprobs == by_stage["raw"]


def test_one_stage_alone_needs_no_dictionary() -> None:
    run = read(TOKENIZER.encode("ab"), logprobs=0, logprobs_stage="final")
    assert run.output.logprobs_by_stage is None
    assert [one.stage for one in run.output.logprobs or []] == ["final", "final"]
    assert read(TOKENIZER.encode("ab")).output.logprobs is None


def test_prompt_logprobs_have_an_entry_for_every_token() -> None:
    prompt = TOKENIZER.encode("abc")
    streamer = streamer_of(prompt, prompt_logprobs=0)
    told = [TokenReport(RankedToken(i, -1.5, 1)) for i in prompt[1:]]
    assert streamer.take(PromptEvent(1, told[:1])) is None
    assert streamer.take(PromptEvent(1, told[1:])) is None
    streamer.take(EndEvent(1, "abort"))
    entries = streamer.require_output().prompt_logprobs or []
    assert [(one.token, one.logprob) for one in entries] == [("a", None), ("b", -1.5), ("c", -1.5)]


def test_an_abort_loses_nothing() -> None:
    streamer = streamer_of(stop="###")
    for token_id in [*TOKENIZER.encode("a##"), *byte_ids(b"\xf0")]:
        streamer.take(TokenEvent(1, token_id))
    chunk = streamer.take(EndEvent(1, "abort"))
    assert chunk is not None
    assert (chunk.text, len(chunk.token_ids), chunk.finish_reason) == ("##\ufffd", 3, "abort")
    assert chunk.require_output().text == "a##\ufffd"
    assert chunk.require_output().stop_reason is None


def test_what_comes_after_the_end_is_ignored() -> None:
    streamer = streamer_of(stop="#")
    for token_id in TOKENIZER.encode("a#"):
        streamer.take(TokenEvent(1, token_id))
    output = streamer.require_output()
    assert streamer.take(TokenEvent(1, 5)) is None
    assert streamer.take(EndEvent(1, "abort")) is None
    assert streamer.require_output() is output


@unhurried
@given(TEXT.filter(bool), st.integers(1, 4), TEXT)
def test_a_prompt_may_end_within_a_character(before: str, num_bytes: int, after: str) -> None:
    data = (before + after).encode()
    place = max(1, len(before.encode()) - num_bytes)
    ids = [*byte_ids(data[place:]), EOS]
    run = read(ids, prompt=byte_ids(data[:place]), logprobs=0)
    begun = data[:place].decode(errors="ignore")
    assert run.output.text == data.decode()[len(begun) :]
    assert run.output.token_ids == ids
    check_joined(run)


def test_a_fragment_that_is_not_continued_adds_nothing() -> None:
    prompt = byte_ids("한".encode()[:2])
    assert read(TOKENIZER.encode("ab"), prompt=prompt).output.text == "ab"
    assert read([EOS], prompt=prompt, end=StopReason("eos", EOS)).output.text == ""
    assert read(byte_ids("한".encode()[2:]), prompt=prompt).output.text == "한"


def test_a_stop_may_begin_with_the_prompts_unfinished_character() -> None:
    prompt, rest = byte_ids("한".encode()[:2]), byte_ids("한".encode()[2:])
    run = read([*rest, *TOKENIZER.encode("ab")], prompt=prompt, stop="한a")
    assert (run.output.text, run.output.token_ids) == ("", [])


def test_a_stop_in_the_prompt_does_not_count() -> None:
    run = read(TOKENIZER.encode("#b"), prompt=TOKENIZER.encode("a##"), stop="###")
    assert run.output.text == "#b"


def test_a_malformed_pattern_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="no regular expression"):
        streamer_of(stop_regex="(")


def test_there_is_no_output_before_the_end() -> None:
    with pytest.raises(RequestError, match="'the prompt' has not ended"):
        streamer_of().require_output()


def test_a_model_that_is_stopped_by_its_text_streams_as_it_generates() -> None:
    llm = reciting_llm("Q: a\nA: b\n\nQ: c\nA: d\n\n")
    chunks = list(llm.stream("Q: a\nA:", stop=["\nQ:", "\n\n"], logprobs=0))
    output = llm.generate("Q: a\nA:", stop=["\nQ:", "\n\n"], logprobs=0)
    streamed = chunks[-1].require_output()
    assert "".join(chunk.text for chunk in chunks) == streamed.text == output.text == " b"
    assert streamed.logprobs == output.logprobs
    assert [one.token for one in output.logprobs or []] == [" ", "b"]
    assert output.stop_reason == StopReason("string", "\n\n")


ENDS_TEXT: dict[str, Any] = {
    "stop": ["dog"],
    "stop_regex": r"d\w+",
    "stopping_criteria": lambda text, _: text.endswith("do"),
}
"""A value for each setting, by which LINE ends at its dog."""

LINE = "Q: a cat, a dog, a cow"


def likely(history: Sequence[int]) -> np.ndarray:
    """LINE's token at this place, whatever was written before; then the end of sequence."""
    ids = [*TOKENIZER.encode(LINE), EOS]
    row = np.zeros(VOCAB_SIZE, np.float32)
    row[ids[min(len(history), len(ids) - 1)]] = 20
    return row


@pytest.mark.parametrize("name", TEXT_STOPS)
def test_what_ends_a_text_ends_a_beam_alike(name: str) -> None:
    rule = {name: ENDS_TEXT[name]}
    with toy_llm(likely) as llm:
        whole = llm.generate("Q:", num_beams=2)
        greedy, beam = llm.generate("Q:", **rule), llm.generate("Q:", **rule, num_beams=2)
    assert whole.text == LINE.removeprefix("Q:")
    assert len(greedy.text) < len(whole.text)
    assert (beam.text, beam.token_ids) == (greedy.text, greedy.token_ids)
    assert (beam.stop_reason, beam.finish_reason) == (greedy.stop_reason, "stop")
    assert beam.score is not None  # the search ended it, not its streamer alone
