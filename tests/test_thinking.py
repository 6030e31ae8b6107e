"""Thoughts by `LLM` and `AsyncLLM`: their budget, and forms behind them, in every strategy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from support.speculated import Eager, drafting_with, read_together, repeating, token_by_token
from support.toy import EOS
from support.toy_async import run
from support.toy_chat import TEMPLATE, chatting_tokenizer, saying

from foretell import LLM, AsyncLLM, ConfigError, SettingWarning
from foretell.backends.scripted import ScriptedBackend
from foretell.text.reasoning import BEGIN, END
from foretell.text.tokenizer import Tokenizer

HELLO = [{"role": "user", "content": "hello"}]
MARKS = (BEGIN, END)
HOT = {"temperature": 2.0, "seed": 5}
WAYS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampling": HOT,
    "cut": {**HOT, "top_k": 20, "top_p": 0.9, "min_p": 0.01},
    "samples": {**HOT, "num_return_sequences": 4},
    "beams": {"num_beams": 3, "num_return_sequences": 2},
    "guidance": {"guidance_scale": 2.5},
    "mirostat": {"mirostat": 2, "seed": 1},
    "adaptive": {"adaptive_target": 0.3, "seed": 1},
    "penalties": {"repetition_penalty": 1.3, "frequency_penalty": 0.5, "no_repeat_ngram_size": 3},
    "traced": {**HOT, "trace": True, "logprobs": 1},
    "reported": {**HOT, "logprobs": 2, "logprobs_stage": ("raw", "processed", "final")},
    "vllm": {**HOT, "dialect": "vllm"},
    "llama.cpp": {**HOT, "dialect": "llama.cpp"},
}
SCHEMA = {
    "type": "object",
    "properties": {"legs": {"type": "integer", "minimum": 0, "maximum": 99}},
    "required": ["legs"],
    "additionalProperties": False,
}


THINKING = TEMPLATE + "{# <think> #}"


def tokenizer(marks: Sequence[str] = MARKS, template: str = THINKING) -> Tokenizer:
    found = chatting_tokenizer(marks)
    found.chat_template = template
    return found


def dreaming(marks: Sequence[str] = MARKS, *, is_plain: bool = True) -> LLM:
    """A model that writes anything but an end of its thoughts or its text; if plain, in ASCII."""
    words = tokenizer(marks)
    size = words.vocab_size
    others = [index for index in range(size) if words.token_bytes(index)[0] >= 128]

    def script(history: tuple[int, ...]) -> Any:
        row = np.random.default_rng([*history[-2:]]).standard_normal(size).astype(np.float32) * 3
        row[words.encode("<>", add_special_tokens=False)] = -9
        row[[EOS, *range(size - len(marks), size), *(others if is_plain else ())]] = -99
        return row

    return LLM(ScriptedBackend(script, vocab_size=size, num_blocks=600), tokenizer=words)


def saying_llm(answer: str, marks: Sequence[str] = MARKS, begins: str = "") -> LLM:
    return LLM(saying(answer, begins, marks), tokenizer=tokenizer(marks))


@pytest.mark.parametrize("marks", [(), MARKS])
@pytest.mark.parametrize("way", WAYS)
def test_thoughts_end_with_their_budget_in_every_strategy(way: str, marks: Sequence[str]) -> None:
    with dreaming(marks) as llm:
        ids = llm.tokenizer.encode(f"the cat {BEGIN}", parse_special=True)
        end = llm.tokenizer.encode(END, add_special_tokens=False, parse_special=True)
        for budget in (0, 1, 7):
            found = llm.generate(ids, thinking_budget=budget, max_new_tokens=20, **WAYS[way])
            for output in found if isinstance(found, list) else [found]:
                used = output.usage.reasoning_tokens  # of some samplers not in ASCII
                assert budget <= used <= budget + 3 * (budget > 0)
                assert output.token_ids[used : used + len(end)] == end


@pytest.mark.parametrize("marks", [(), MARKS])
def test_a_model_begins_thoughts_of_its_own(marks: Sequence[str]) -> None:
    with saying_llm(f"{BEGIN}a long thought{END}Yes.", marks) as llm:
        whole = llm.chat(HELLO)
        assert (whole.reasoning_content, whole.content) == ("a long thought", "Yes.")
        assert whole.usage.reasoning_tokens == len("a long thought".replace("th", "t"))
        assert llm.chat(HELLO, thinking_budget=99).text == whole.text
        short = llm.chat(HELLO, thinking_budget=6)
        assert short.reasoning_content == "a long"
        assert short.usage.reasoning_tokens == 6
        none = llm.chat(HELLO, thinking_budget=0)
        assert (none.reasoning_content, none.usage.reasoning_tokens) == (None, 0)
        chunks = [*llm.stream_chat(HELLO, thinking_budget=6)]
        assert "".join(chunk.text for chunk in chunks) == short.text
        assert chunks[-1].require_output().usage.reasoning_tokens == 6


def test_who_is_alone_is_answered_as_in_company() -> None:
    prompts = [f"{word} {BEGIN}" for word in ("the", "cat", "mat", "sat")]
    given = {**HOT, "thinking_budget": 5, "max_new_tokens": 30, "parse_special": True}
    with dreaming() as llm:
        together = [output.token_ids for output in llm.generate(prompts, **given)]
        assert [llm.generate(prompt, **given).token_ids for prompt in prompts] == together

        async def main() -> None:
            async with AsyncLLM(llm.backend, tokenizer=llm.tokenizer) as other:
                found = await other.generate(prompts, **given)
                assert [output.token_ids for output in found] == together

        run(main)


@pytest.mark.parametrize("marks", [(), MARKS])
@pytest.mark.parametrize("form", [{}, {"json_schema": SCHEMA, "allow_thinking": True}])
def test_guessing_ahead_changes_nothing(marks: Sequence[str], form: dict[str, Any]) -> None:
    words = tokenizer(marks)
    size = words.vocab_size

    def make() -> LLM:
        return LLM(
            ScriptedBackend(repeating(size), vocab_size=size, num_blocks=600), tokenizer=words
        )

    ends = words.encode(BEGIN, add_special_tokens=False, parse_special=True)
    wishes = [
        ([seed % 90, *[5, 6, 7, 8] * 3, *ends], {"thinking_budget": seed % 9, **way, **form})
        for seed in range(24)
        for way in ({}, {"temperature": 0.7, "seed": seed, "logprobs": 1})
    ]
    wishes = [(ids, {**given, "max_new_tokens": 40}) for ids, given in wishes]
    with token_by_token(make()) as plain, drafting_with(make(), Eager()) as fast:
        assert read_together(fast, wishes) == read_together(plain, wishes)
        assert fast.stats().accepted_tokens > 50


def test_the_trace_says_what_forced_the_mark() -> None:
    with dreaming() as llm:
        why = llm.explain(f"hm {BEGIN}", parse_special=True, thinking_budget=2, max_new_tokens=4)
        stages = [step.stages[-1] for step in why.steps]
        assert {(stage.name, stage.setting) for stage in stages} == {("thinking_budget", "2")}
        size = llm.info.vocab_size
        assert [stage.num_candidates for stage in stages] == [size, size, 1, size]
        assert f"thinking_budget 2 cut {size - 1} tokens" in why.why(2)
        assert "thinking_budget 2 changed nothing for it" in why.why(1)


def test_a_budget_that_can_have_no_effect_earns_a_warning() -> None:
    plain = tokenizer((), TEMPLATE)
    prompt = plain.encode("<|start|>assistant\n", parse_special=True)
    warned = pytest.warns(SettingWarning, match="thinking_budget=3 has an effect only")
    with LLM(saying("hello"), tokenizer=plain) as llm, warned:
        assert llm.generate(prompt, thinking_budget=3).usage.reasoning_tokens == 0


@pytest.mark.parametrize("value", [-1, 1.5, "x", True])
def test_what_is_no_budget_is_refused(value: Any) -> None:
    with dreaming() as llm, pytest.raises(ConfigError, match="thinking_budget"):
        llm.generate("hm", thinking_budget=value)


@pytest.mark.parametrize("marks", [(), MARKS])
@pytest.mark.parametrize("way", WAYS)
def test_a_form_comes_behind_thoughts_in_every_strategy(way: str, marks: Sequence[str]) -> None:
    given = {"json_schema": SCHEMA, "allow_thinking": True, "json_whitespace": "compact"}
    with dreaming(marks, is_plain=False) as llm:
        ids = llm.tokenizer.encode(f"the cat {BEGIN}", parse_special=True)
        found = llm.generate(ids, **given, thinking_budget=4, max_new_tokens=60, **WAYS[way])
        for output in found if isinstance(found, list) else [found]:
            thought, mark, said = output.text.partition(END)
            assert mark
            assert output.complete
            assert output.content == said.strip()
            assert output.reasoning_content in (thought.strip(), None)
            assert output.parsed == json.loads(said)
            assert [*output.parsed] == ["legs"]


FORMS: list[tuple[dict[str, Any], str, Any]] = [
    ({"json_schema": SCHEMA}, '{"legs": 4}', {"legs": 4}),
    ({"json": True}, '{"x": [1]}', {"x": [1]}),
    ({"regex": "[a-z]+!"}, "yes!", "yes!"),
    ({"choices": ["yes", "no"]}, "no", "no"),
    ({"grammar": 'start: "a" rest\nrest: "b"+ "."'}, "abb.", "abb."),
    ({"grammar": 'root ::= "a" [bc]+ "."'}, "abc.", "abc."),
]


@pytest.mark.parametrize("marks", [(), MARKS])
@pytest.mark.parametrize(("form", "said", "parsed"), FORMS)
def test_thoughts_may_come_before_any_form(
    form: dict[str, Any], said: str, parsed: Any, marks: Sequence[str]
) -> None:
    answer = f'{BEGIN}\n{{"no": 1}} a "b"\n{END}\n\n{said}'
    with saying_llm(answer, marks) as llm:
        output = llm.chat(HELLO, **form)
        assert (output.text, output.content, output.parsed) == (answer, said, parsed)
        assert output.reasoning_content == '{"no": 1} a "b"'
        assert output.complete
    with saying_llm(said, marks) as llm:  # which need not think
        output = llm.chat(HELLO, **form)
        assert (output.text, output.reasoning_content, output.parsed) == (said, None, parsed)
        off = llm.chat(HELLO, **form, allow_thinking=False)
        assert (off.text, off.parsed) == (said, parsed)


def test_a_form_is_all_there_is_where_nothing_may_be_thought() -> None:
    for marks in ((), MARKS):
        with saying_llm(f"{BEGIN}hm{END}yes", marks) as llm:
            output = llm.chat(HELLO, choices=["yes", "no"], allow_thinking=False)
            assert (output.text in ("yes", "no"), output.reasoning_content) == (True, None)


def test_a_text_that_a_stop_ends_is_complete_behind_thoughts() -> None:
    for marks in ((), MARKS):
        with saying_llm(f"{BEGIN}hm{END}aab", marks) as llm:
            output = llm.chat(HELLO, regex="[ab]+", stop="b", include_stop_str_in_output=True)
            assert (output.complete, output.parsed) == (True, "aab")
            output = llm.chat(HELLO, regex="a+[bc]", stop="b")
            assert (output.complete, output.parsed) == (False, None)


def test_a_config_may_have_the_form() -> None:
    from foretell import GenerationConfig

    with saying_llm(f"{BEGIN}hm{END}yes") as llm:
        config = GenerationConfig(choices=["yes", "no"])
        assert llm.chat(HELLO, config).parsed == "yes"
        assert llm.chat(HELLO, config).config.allow_thinking


def test_a_text_alone_may_have_thoughts_too() -> None:
    for marks in ((), MARKS):
        with saying_llm(f"{BEGIN}hm{END}yes", marks) as llm:
            prompt = llm.tokenizer.encode("<|start|>assistant\n", parse_special=True)
            output = llm.generate(prompt, choices=["yes", "no"], allow_thinking=True)
            assert (output.reasoning_content, output.content) == ("hm", "yes")
            assert (output.parsed, output.usage.reasoning_tokens) == ("yes", 2)
            assert output.to_dict()["config"]["allow_thinking"]
            with pytest.raises(ConfigError, match="allow_thinking=True has no effect without"):
                llm.generate("hm", allow_thinking=True)
