"""Prompts that are healed: texts go on from the prompt as it was given, in every kind of call."""

from __future__ import annotations

import pytest
from support.pieces import piece_metadata
from support.toy import EOS, VOCAB_SIZE, reciting_llm, toy_llm, toy_tokenizer

from foretell.backends.scripted import ScriptedBackend, improvise, recite
from foretell.errors import ConfigError, RequestError
from foretell.llm import LLM
from foretell.text.tokenizer import Tokenizer

WISHES = {"max_new_tokens": 6, "token_healing": True}


def whole_of(llm, output):
    """The bytes of all tokens, prompt and text."""
    ids = [*output.prompt_token_ids, *output.token_ids]
    texts = [llm.tokenizer.token_bytes(one) for one in ids if not llm.tokenizer.is_special(one)]
    return b"".join(texts)


def spm_llm():
    tokenizer = Tokenizer.from_gguf(piece_metadata(), source="pieces")
    backend = ScriptedBackend(improvise(tokenizer.vocab_size), vocab_size=tokenizer.vocab_size)
    return LLM(backend, tokenizer=tokenizer)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 1.3, "seed": 3, "num_return_sequences": 3},
        {"num_beams": 3, "num_return_sequences": 2},
        {"temperature": 1.3, "seed": 4, "top_k": 5, "trace": True, "logprobs": 2},
        {"repetition_penalty": 1.3, "bad_words": ["q"]},
    ],
)
@pytest.mark.parametrize("make", [toy_llm, spm_llm])
@pytest.mark.parametrize("prompt", ["xyz c", "he", "h e", "é h", "a th"])
def test_text_goes_on_from_the_prompt(make, prompt, settings):
    wishes = {**WISHES, "ignore_eos": True, **settings}
    with make() as llm:
        found = llm.generate([prompt], **wishes)
        streamed = [""] * len(found)
        for chunk in llm.stream([prompt], **wishes):
            streamed[chunk.index] += chunk.text
        for output in found:
            data = whole_of(llm, output).decode(errors="replace")
            assert data.removeprefix(" " * llm.tokenizer.adds_space_prefix).startswith(prompt)
            text = data[data.index(prompt) + len(prompt) :]
            assert text.startswith(output.text)
            assert output.prompt == prompt
        assert streamed == [output.text for output in found]


def test_a_longer_token_takes_the_prompts_place():
    with reciting_llm("xyz cat sat") as llm:
        with pytest.raises(Exception, match="begins no line"):
            llm.generate("xyz ca", max_new_tokens=9)
        healed = llm.generate("xyz ca", max_new_tokens=9, token_healing=True)
    assert healed.text == "t sat"
    assert healed.finish_reason == "stop"


def test_where_the_same_token_comes_the_text_is_as_without():
    line = [
        *toy_tokenizer().encode("xyz"),
        *(toy_tokenizer().encode(one)[0] for one in " cup"),
        EOS,
    ]
    backend = ScriptedBackend(recite(line, vocab_size=VOCAB_SIZE), vocab_size=VOCAB_SIZE)
    prompt = line[:5]
    with LLM(backend, tokenizer=toy_tokenizer()) as llm:
        plain = llm.generate(prompt, max_new_tokens=1)
        healed = llm.generate(prompt, max_new_tokens=1, token_healing=True)
    assert (
        (healed.text, healed.finish_reason) == (plain.text, plain.finish_reason) == ("u", "length")
    )
    assert healed.prompt_token_ids + healed.token_ids == plain.prompt_token_ids + plain.token_ids


@pytest.mark.parametrize(("prompt", "num_taken"), [("xyz ca", 1), ("xyz", 0)])
def test_what_was_taken_back_counts_as_the_prompts(prompt, num_taken):
    """The length is counted from the prompt's end as it was given."""
    wishes = {"max_new_tokens": 3, "ignore_eos": True}
    with toy_llm() as llm:
        given = llm.tokenizer.encode(prompt)
        healed = llm.generate(prompt, token_healing=True, **wishes)
    assert healed.prompt_token_ids == given[: len(given) - num_taken]
    assert healed.usage.completion_tokens == 3 + num_taken
    assert (healed.stop_reason.kind, healed.stop_reason.value) == ("max_new_tokens", 3)


def test_stops_are_looked_for_behind_the_prompt():
    with reciting_llm("xyz cat cat") as llm:
        output = llm.generate("xyz ca", max_new_tokens=9, token_healing=True, stop=" cat")
    assert (output.text, output.stop_reason.kind) == ("t", "string")


def test_a_chat_is_not_healed():
    with toy_llm() as llm, pytest.raises(RequestError, match="template ends a chat's prompt"):
        llm.chat([{"role": "user", "content": "the"}], token_healing=True)


@pytest.mark.parametrize("other", [{"json": True}, {"regex": "a"}, {"forced_bos_token_id": 3}])
def test_what_begins_a_text_contradicts_it(other):
    with toy_llm() as llm, pytest.raises(ConfigError, match="token_healing=True contradicts"):
        llm.generate("the", token_healing=True, **other)
