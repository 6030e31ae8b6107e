"""What users of other engines reported about stops and streams, tried here: see docs/trials.md."""

from __future__ import annotations

import numpy as np
import pytest
from support.toy import EOS, VOCAB_SIZE, reciting_llm, toy_llm
from support.trials import id_of, ids_of, steady_llm, writing_llm

from foretell import ConfigError, SettingWarning
from foretell.backends.scripted import ScriptedBackend, recite
from foretell.llm import LLM
from foretell.text.tokenizer import Tokenizer


def test_a_stop_inside_of_a_token_stops_there():
    with reciting_llm("x the cat sat") as llm:
        out = llm.generate("x", stop=["a"])
        assert (out.text, out.stop_reason.kind) == (" the c", "string")
    with reciting_llm("xABCDEFG") as llm:
        assert llm.generate("x", stop=["DE"]).text == "ABC"


def test_stops_of_ones_own_leave_the_models_end_in_force():
    with reciting_llm("x hi") as llm:
        out = llm.generate("x", stop=["\nObservation"])
        assert (out.text, out.stop_reason.kind) == (" hi", "eos")
        assert "".join(chunk.text for chunk in llm.stream("x", stop=["\nObservation"])) == " hi"


@pytest.mark.parametrize("stop", ["", [""], ["a", ""]])
def test_an_empty_stop_is_refused(stop):
    with toy_llm() as llm, pytest.raises(ConfigError, match="stop"):
        llm.generate("x", stop=stop)


def test_a_stop_that_never_comes_is_no_error():
    with reciting_llm("x hi") as llm:
        assert llm.generate("x", stop=["Q", "✿RESULT✿"]).text == " hi"


def test_nothing_of_a_stop_is_left_over():
    with reciting_llm("x ok <START>more") as llm:
        assert "".join(chunk.text for chunk in llm.stream("x", stop=["<START>"])) == " ok "
        assert llm.generate("x", stop=["<START>"]).text == " ok "
    with reciting_llm("x ok <STA") as llm:  # but what only begins like one is text
        assert "".join(chunk.text for chunk in llm.stream("x", stop=["<START>"])) == " ok <STA"


def test_a_control_token_can_be_a_stop():
    with writing_llm("x hi<|start|>more<|end|>") as llm:
        assert llm.generate("x").text == " himore"  # it has no text of its own
        out = llm.generate("x", stop=["<|start|>"])
        assert (out.text, out.stop_reason.kind, out.stop_reason.value) == (
            " hi",
            "token",
            id_of("<|start|>"),
        )
    line = [*ids_of("x hi"), *ids_of("<|"), *ids_of("start|>more")]  # spelled out as text
    with LLM(
        ScriptedBackend(recite(line, vocab_size=VOCAB_SIZE), vocab_size=VOCAB_SIZE),
        tokenizer=toy_llm().tokenizer,
    ) as llm:
        assert llm.generate("x", stop=["<|start|>"]).text == " hi"


@pytest.mark.parametrize("stop", ["<|start|>user", "\n<|start|>"])
def test_a_control_token_within_a_stop_earns_a_warning(stop):
    with writing_llm("x hi<|start|>user<|end|>") as llm:
        with pytest.warns(SettingWarning, match=r"stop=.*<\|start\|>.* adds no text"):
            llm.generate("x", stop=[stop])
        llm.generate("x", stop=["<|start|>", "user"])  # both of which are found


def test_the_least_length_is_kept_before_any_stop():
    with reciting_llm("x test\nmore\nend") as llm:
        out = llm.generate("x", stop=["\n"], min_new_tokens=8)
        assert (out.text, out.stop_reason.value) == (" test\nmore", "\n")
    with steady_llm({"b": 3.0, "a": 1.0}) as llm:
        for stop in ({"stop_token_ids": [id_of("b")]}, {"eos_token_id": [EOS, id_of("b")]}):
            out = llm.generate("x", min_new_tokens=4, max_new_tokens=9, **stop)
            assert out.token_ids == [id_of("a")] * 4 + [id_of("b")]


@pytest.mark.parametrize("least", range(6))
def test_the_end_comes_right_after_the_least_length(least):
    with steady_llm({"a": 1.0}) as llm:
        settings = {"logit_bias": {EOS: 100.0}, "max_new_tokens": 32}
        out = llm.generate("x", min_new_tokens=least, **settings)
        assert out.token_ids == [id_of("a")] * least + [EOS]


def test_a_stream_ends_at_any_of_several_ends():
    with reciting_llm("x one\ntwo") as llm:
        ends = {"eos_token_id": [id_of("\n"), EOS]}
        assert "".join(chunk.text for chunk in llm.stream("x", **ends)) == " one"


def test_the_reason_is_the_length_only_where_the_length_ended_it():
    with reciting_llm("x hi") as llm:
        for most, reason in ((2, "length"), (3, "length"), (4, "stop"), (9, "stop")):
            *_, last = llm.stream("x", max_new_tokens=most)
            whole = llm.generate("x", max_new_tokens=most)
            assert last.finish_reason == whole.finish_reason == reason
        *_, last = llm.stream("x", max_new_tokens=3, stop=["i"])
        assert last.finish_reason == "stop"


def sentencepiece() -> Tokenizer:
    """A tokenizer of Llama's kind, in which `▁` is the space before a word."""
    words = ["▁", "▁leading", "▁x", "▁Dear", "Hello", "world", "▁world"]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    metadata = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": pieces,
        "tokenizer.ggml.scores": [0.0] * 259 + [-float(i) for i in range(len(words))],
        "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * len(words),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.add_bos_token": True,
    }
    return Tokenizer.from_gguf(metadata, source="words")


@pytest.mark.parametrize(
    ("words", "whole"),
    [
        (["▁", "▁leading", "▁x"], " leading x"),
        (["▁Dear", "▁world", "▁x"], "Dear world x"),
        (["Hello", "▁world"], "Hello world"),
    ],
)
def test_a_stream_keeps_each_space_once(words, whole):
    tokenizer = sentencepiece()
    ids = [next(i for i in range(266) if tokenizer.token_text(i) == w.replace("▁", " ") and i > 258)
           for w in words]  # fmt: skip
    assert tokenizer.decode(ids) == whole
    prompt = tokenizer.encode("x")
    script = recite([*prompt, *ids, 2], vocab_size=tokenizer.vocab_size)
    backend = ScriptedBackend(script, vocab_size=tokenizer.vocab_size)
    with LLM(backend, tokenizer=tokenizer) as llm:
        streamed = "".join(chunk.text for chunk in llm.stream("x"))
        assert streamed == llm.generate("x").text == "".join(words).replace("▁", " ")


def test_no_control_token_shows_in_a_text_that_is_streamed_or_searched_for():
    row = np.full(VOCAB_SIZE, -20.0, np.float32)
    row[[id_of("<|start|>"), id_of("a")]] = 2.0, 1.9
    with toy_llm(lambda history: row.copy()) as llm:
        for settings in ({}, {"num_beams": 3}, {"temperature": 1.0, "seed": 1}):
            chunks = list(llm.stream("x", max_new_tokens=8, **settings))
            ids = [token for chunk in chunks for token in chunk.token_ids]
            assert id_of("<|start|>") in ids
            assert set("".join(chunk.text for chunk in chunks)) <= {"a"}
