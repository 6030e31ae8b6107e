"""What comes back and what is streamed: scores, logits, beam indices; transformers' streamers."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest
import torch
from support.toy import reciting_llm, toy_llm
from transformers import AsyncTextIteratorStreamer, TextIteratorStreamer, TextStreamer

from foretell import generate

IDS = torch.tensor([[3, 4, 5], [6, 7, 8]])
KEPT: dict[str, Any] = {
    "return_dict_in_generate": True,
    "output_scores": True,
    "output_logits": True,
}


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    finite = expected > -1e30
    assert torch.equal(found > -1e30, finite)
    torch.testing.assert_close(found[finite], expected[finite], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"repetition_penalty": 1.4, "renormalize_logits": True},
        {"suppress_tokens": [3, 4], "no_repeat_ngram_size": 2},
        {"guidance_scale": 1.7},
        {"num_beams": 3, "num_return_sequences": 2},
        {"num_beams": 2, "renormalize_logits": True, "repetition_penalty": 1.3},
        {"num_beams": 4, "length_penalty": 0.5, "early_stopping": True, "min_new_tokens": 3},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_records_are_those_of_transformers(
    name: str, settings: dict[str, Any], request: pytest.FixtureRequest
):
    model = request.getfixturevalue(name)
    settings = {**KEPT, **settings, "max_new_tokens": 6, "eos_token_id": None}
    expected, found = model.generate(IDS, **settings), generate(model, IDS, **settings)
    assert found.keys() == [key for key in expected if key not in ("past_key_values", "cache")]
    assert torch.equal(found.sequences, expected.sequences)
    for kind in ("scores", "logits"):
        assert len(found[kind]) == len(expected[kind])
        for ours, theirs in zip(found[kind], expected[kind], strict=True):
            assert_close(ours, theirs)
    if settings.get("num_beams", 1) > 1:
        assert_close(found.sequences_scores, expected.sequences_scores)
        assert found.beam_indices.dtype == expected.beam_indices.dtype
        assert torch.equal(found.beam_indices, expected.beam_indices)
    sums = model.compute_transition_scores(found.sequences, found.scores, found.beam_indices)
    theirs = model.compute_transition_scores(
        expected.sequences, expected.scores, expected.get("beam_indices")
    )
    assert_close(sums, theirs)


@pytest.mark.parametrize("num_beams", [1, 3])
def test_rows_that_have_ended_have_zeros(gpt2: Any, num_beams: int):
    settings = {**KEPT, "num_beams": num_beams, "max_new_tokens": 9, "early_stopping": True}
    if num_beams == 1:
        del settings["early_stopping"]
    settings["eos_token_id"] = [9, 13, 14, 21, 5, 1]
    ids = torch.tensor([[3, 4], [5, 6], [7, 13], [15, 16]])
    expected, found = gpt2.generate(ids, **settings), generate(gpt2, ids, **settings)
    assert torch.equal(found.sequences, expected.sequences)
    lengths = (expected.sequences[:, 2:] != 2).sum(dim=1).tolist()
    assert len(set(lengths)) > 1
    for step, (ours, theirs) in enumerate(zip(found.scores, expected.scores, strict=False)):
        for row, length in enumerate(lengths):
            place = row * num_beams
            if step < length:
                assert_close(ours[place], theirs[place])
            elif num_beams == 1:
                assert not ours[place].any()
    if num_beams > 1:
        assert torch.equal(found.beam_indices, expected.beam_indices)
        assert (found.beam_indices == -1).any()


def test_samples_have_a_row_each(gpt2: Any):
    settings = {**KEPT, "do_sample": True, "num_return_sequences": 3, "max_new_tokens": 4}
    found = generate(gpt2, IDS, seed=1, top_k=5, eos_token_id=None, **settings)
    assert found.sequences.shape == (6, 7)
    for step in range(4):
        again = gpt2(found.sequences[:, : 3 + step]).logits[:, -1]
        assert_close(found.logits[step], again.detach())
        best = again.topk(5).indices
        kept = found.scores[step] > -1e30
        assert kept.sum(dim=1).tolist() == [5] * 6
        assert kept.gather(1, best).all()
        assert kept.gather(1, found.sequences[:, 3 + step, None]).all()


def test_an_output_is_read_by_name_place_and_attribute(gpt2: Any):
    out = generate(gpt2, IDS, max_new_tokens=2, return_dict_in_generate=True)
    assert out.keys() == ["sequences"] == [*out]
    assert out["sequences"] is out.sequences is out[0] is out.to_tuple()[0]
    assert len(out) == 1
    assert "scores" not in out
    assert out.scores is None
    with pytest.raises(KeyError):
        out["scores"]
    with pytest.raises(AttributeError):
        out.past_key_values  # noqa: B018 - it is asked for, and there is none


def test_arrays_have_arrays_of_scores():
    out = generate(toy_llm(), np.array([[5, 6]]), max_new_tokens=3, **KEPT)
    assert isinstance(out.sequences, np.ndarray)
    assert [step.shape for step in out.scores] == [(1, toy_llm().info.vocab_size)] * 3
    assert all(step.dtype == np.float32 for step in out.logits)
    picked = [int(step.argmax()) for step in out.logits]
    assert picked == out.sequences[0, 2:].tolist()


class Keeps:
    """A streamer that keeps what it is given."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def put(self, value: torch.Tensor) -> None:
        assert value.device.type == "cpu"
        self.calls.append((value.dtype, value.tolist()))

    def end(self) -> None:
        self.calls.append("end")


@pytest.mark.parametrize("settings", [{}, {"eos_token_id": [9, 13, 14, 21, 5, 1]}], ids=str)
def test_a_streamer_is_given_what_transformers_gives(gpt2: Any, settings: dict[str, Any]):
    ids = torch.tensor([[3, 4], [5, 6], [7, 13], [15, 16]])
    theirs, ours = Keeps(), Keeps()
    settings |= {"max_new_tokens": 7}
    gpt2.generate(ids, streamer=theirs, **settings)
    generate(gpt2, ids, streamer=ours, **settings)
    assert ours.calls == theirs.calls
    assert len(ours.calls) > 3


def test_samples_are_streamed_in_step(gpt2: Any):
    ours = Keeps()
    settings = {"do_sample": True, "num_return_sequences": 3, "max_new_tokens": 5, "seed": 2}
    found = generate(gpt2, IDS, streamer=ours, eos_token_id=None, **settings)
    prompts, *steps, end = ours.calls
    assert prompts[1] == [[3, 4, 5]] * 3 + [[6, 7, 8]] * 3
    assert [tokens for _, tokens in steps] == found[:, 3:].T.tolist()
    assert end == "end"


def test_beams_stream_too(gpt2: Any):
    ours = Keeps()
    found = generate(gpt2, IDS, streamer=ours, num_beams=3, max_new_tokens=6)
    _, *steps, end = ours.calls
    assert [tokens for _, tokens in steps] == found[:, 3:].T.tolist()
    assert end == "end"


class Words:
    """As much of a transformers tokenizer as a streamer needs."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def decode(self, ids: list[int], **kwargs: Any) -> str:
        text: str = self.tokenizer.decode(ids)
        return text


def test_transformers_streamers_stream(capsys: pytest.CaptureFixture[str]):
    llm = reciting_llm("the cat sat on the mat")
    words: Any = Words(llm.tokenizer)
    generate(llm, "the cat", streamer=TextStreamer(words), max_new_tokens=20)
    assert capsys.readouterr().out == "the cat sat on the mat\n"
    generate(llm, "the cat", streamer=TextStreamer(words, skip_prompt=True), max_new_tokens=20)
    assert capsys.readouterr().out == " sat on the mat\n"


def test_a_text_iterator_streams_from_another_thread():
    streamer = TextIteratorStreamer(Words(reciting_llm("the cat").tokenizer))  # type: ignore[arg-type]

    def work() -> None:
        llm = reciting_llm("the cat sat on the mat")
        generate(llm, "the", streamer=streamer, max_new_tokens=20)

    thread = threading.Thread(target=work)
    thread.start()
    pieces = [*streamer]
    thread.join()
    assert "".join(pieces) == "the cat sat on the mat"
    assert len(pieces) > 3


def test_an_async_text_iterator_streams():
    async def read() -> str:
        streamer = AsyncTextIteratorStreamer(Words(reciting_llm("a").tokenizer))  # type: ignore[arg-type]

        def work() -> None:
            llm = reciting_llm("the cat sat on the mat")
            generate(llm, "the", streamer=streamer, max_new_tokens=20)

        thread = threading.Thread(target=work)
        thread.start()
        text = "".join([piece async for piece in streamer])
        await asyncio.to_thread(thread.join)
        return text

    assert asyncio.run(read()) == "the cat sat on the mat"


def test_a_streamer_that_raises_ends_all():
    class Breaks(Keeps):
        def put(self, value: Any) -> None:
            if self.calls:
                raise OSError("no more room")
            super().put(value)

    llm = toy_llm()
    with pytest.raises(OSError, match="no more room"):
        generate(llm, torch.tensor([[5, 6]]), streamer=Breaks(), max_new_tokens=9)
    assert llm.stats().running == 0
    assert llm.stats().waiting == 0
