"""Texts that are held to a form, by `LLM`: every strategy, streams, stops, reports."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, NotRequired, TypedDict

import jsonschema
import numpy as np
import pytest
from pydantic import BaseModel, ValidationError, field_validator
from support.toy import EOS, VOCAB_SIZE, engine_of, toy_llm, toy_tokenizer
from support.toy_async import run, scripted

from foretell import LLM, AsyncLLM, ConfigError, GenerationConfig, SettingWarning
from foretell.backends.scripted import CERTAIN, ScriptedBackend
from foretell.grammar import compiler
from foretell.inputs.grammars import token_bytes

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 4},
        "legs": {"type": "integer", "minimum": 0, "maximum": 99},
        "kind": {"enum": ["cat", "dog", None]},
        "tags": {"type": "array", "items": {"type": "boolean"}, "maxItems": 2},
    },
    "required": ["name", "legs", "kind"],
    "additionalProperties": False,
}
ENOUGH = {"max_new_tokens": 200}
HOT = {"temperature": 2.0, "seed": 5}
WAYS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampling": HOT,
    "cut": {**HOT, "top_k": 20, "top_p": 0.9, "min_p": 0.01},
    "samples": {**HOT, "num_return_sequences": 5},
    "beams": {"num_beams": 4, "num_return_sequences": 3},
    "sampled beams": {**HOT, "num_beams": 3},
    "guidance": {"guidance_scale": 2.5},
    "guided samples": {**HOT, "guidance_scale": 1.5, "num_return_sequences": 2},
    "mirostat": {"mirostat": 2, "seed": 1},
    "adaptive": {"adaptive_target": 0.3, "seed": 1},
    "penalties": {"repetition_penalty": 1.3, "frequency_penalty": 0.5, "no_repeat_ngram_size": 3},
    "dry": {"dry_multiplier": 0.8, **HOT},
    "traced": {**HOT, "trace": True, "logprobs": 1},
    "reported": {**HOT, "logprobs": 2, "logprobs_stage": ("raw", "processed", "final")},
    "renormalized": {**HOT, "renormalize_logits": True, "remove_invalid_values": True},
    "vllm": {**HOT, "dialect": "vllm"},
    "llama.cpp": {**HOT, "dialect": "llama.cpp"},
    "own chain": {**HOT, "processors": ["json_schema", "temperature", "top_k"], "top_k": 50},
    "ignoring the end": {**HOT, "ignore_eos": True},
    "least length": {**HOT, "min_new_tokens": 50},
}


def roomy_llm(**options: Any) -> LLM:
    """A toy with room for some samples."""
    return toy_llm(num_blocks=600, **options)


def outputs_of(llm: Any, **settings: Any) -> list[Any]:
    found = llm.generate("the cat", **{**ENOUGH, **settings})
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("settings", WAYS.values(), ids=WAYS)
def test_each_way_of_decoding_keeps_to_the_schema(settings):
    with roomy_llm() as llm:
        for output in outputs_of(llm, json_schema=SCHEMA, **settings):
            assert output.stop_reason.kind == "grammar"
            assert (output.finish_reason, output.complete) == ("stop", True)
            assert output.parsed == json.loads(output.text)
            jsonschema.validate(output.parsed, SCHEMA)


@pytest.mark.parametrize("settings", WAYS.values(), ids=WAYS)
def test_what_it_is_answered_depends_on_nothing_but_the_request(settings):
    with roomy_llm() as llm:
        alone = [one.token_ids for one in outputs_of(llm, json_schema=SCHEMA, **settings)]
        prompts = ["the", "the cat", "a cat"]
        several = llm.generate(prompts, **{**ENOUGH, "json_schema": SCHEMA, **settings})
        number = len(alone)
        assert [one.token_ids for one in several[number : 2 * number]] == alone


@pytest.mark.parametrize("settings", [{}, HOT, {"num_beams": 3}, {"repetition_penalty": 1.2}])
def test_a_stream_s_beginnings_never_leave_the_language(settings):
    with roomy_llm() as llm:
        grammar = llm._require_open().inputs._grammars.find(GenerationConfig(json_schema=SCHEMA))
        text = ""
        for chunk in llm.stream("the cat", json_schema=SCHEMA, **ENOUGH, **settings):
            text += chunk.text
            ids = toy_tokenizer().encode(text, add_special_tokens=False)
            assert grammar.start().validate(ids) == len(ids)
        assert grammar.accepts(text)


def test_draws_in_one_call_are_those_of_the_stages_one_by_one():
    with roomy_llm() as llm:
        for seed in range(5):
            wish = {"json_schema": SCHEMA, "temperature": 1.7, "top_p": 0.95, "seed": seed}
            (fused,) = outputs_of(llm, **wish)
            (plain,) = outputs_of(llm, **wish, logprobs=0, logprobs_stage=("raw", "final"))
            assert fused.token_ids == plain.token_ids


FORMS = [
    ({"regex": "[a-c]{2,4}x"}, lambda text: 3 <= len(text) <= 5 and text[-1] == "x"),
    ({"choices": ["yes", "no (really?)", "a+b|c"]}, {"yes", "no (really?)", "a+b|c"}.__contains__),
    ({"choices": "only"}, "only".__eq__),
    ({"grammar": 'start: ("a" | "b")~3 "c"'}, lambda text: len(text) == 4 and text[3] == "c"),
    ({"grammar": 'root ::= [0-9] | "-" root'}, lambda text: text.lstrip("-").isdigit()),
    ({"json_schema": json.dumps(SCHEMA)}, lambda text: json.loads(text)["legs"] < 100),
]


@pytest.mark.parametrize(("form", "fits"), FORMS)
@pytest.mark.parametrize("seed", range(4))
def test_other_forms(form, fits, seed):
    with roomy_llm() as llm:
        (output,) = outputs_of(llm, **form, temperature=1.5, seed=seed)
        assert output.complete
        assert fits(output.text)
        if "json_schema" not in form:
            assert output.parsed == output.text


def test_json_is_an_object():
    with roomy_llm() as llm:
        for seed in range(5):
            (output,) = outputs_of(llm, json=True, temperature=0.7, seed=seed)
            assert output.text.startswith("{")
            assert not output.complete or isinstance(output.parsed, dict)


def test_tags_lie_in_free_text():
    tag = {"begin": "<n>", "schema": {"type": "integer", "maximum": 99}, "end": "</n>"}
    text = "so <n>12</n>, then <n>-3</n>!"
    wrong = "so <n>x"
    with roomy_llm() as llm:
        config = GenerationConfig(structural_tag={"structures": [tag], "triggers": ["<n"]})
        grammar = llm._require_open().inputs._grammars.find(config)
        assert grammar.accepts(text)
        assert not grammar.accepts(wrong)
        ids = toy_tokenizer().encode(wrong, add_special_tokens=False)
        assert grammar.start().validate(ids) == len(ids) - 1


# The end


def test_what_can_only_end_ends_at_once_and_an_open_end_is_the_model_s():
    with roomy_llm() as llm:
        (closed,) = outputs_of(llm, regex="ab{2}")
        assert (closed.text, closed.stop_reason.kind, closed.token_ids[-1]) == (
            "abb",
            "grammar",
            65,
        )
        (opened,) = outputs_of(llm, regex="ab*", logit_bias={65: 100.0}, max_new_tokens=6)
        assert (opened.text, opened.complete, opened.parsed) == ("abbbbb", False, None)
        (ended,) = outputs_of(llm, regex="ab*", logit_bias={EOS: 100.0})
        assert (ended.text, ended.stop_reason.kind, ended.parsed) == ("a", "eos", "a")


@pytest.mark.parametrize("settings", [{}, HOT, {"num_beams": 2}])
def test_a_spent_budget_leaves_a_text_as_it_is(settings):
    with roomy_llm() as llm:
        (output,) = outputs_of(llm, json_schema=SCHEMA, **{**settings, "max_new_tokens": 5})
        assert output.finish_reason == "length"
        assert (output.complete, output.parsed) == (False, None)
        assert output.text


def test_a_stop_may_end_a_text_where_it_is_complete_and_elsewhere():
    with roomy_llm() as llm:
        wish = {"regex": "[ab]+", "logit_bias": {"a": 50.0}}
        (whole,) = outputs_of(llm, **wish, stop="aaa", include_stop_str_in_output=True)
        assert (whole.text, whole.complete, whole.parsed) == ("aaa", True, "aaa")
        (cut,) = outputs_of(llm, **wish, stop="aaa")
        assert (cut.text, cut.complete) == ("", False)
        (middle,) = outputs_of(llm, json_schema=SCHEMA, stop='"name"')
        assert (middle.stop_reason.kind, middle.complete) == ("string", False)


def test_another_end_of_sequence_may_come_where_the_text_may_end_alone():
    a, b = toy_tokenizer().encode("ab", add_special_tokens=False)
    with roomy_llm() as llm:
        wish = {"regex": "b{2}a?", "eos_token_id": a, "logit_bias": {a: 50.0, b: 1.0}}
        (output,) = outputs_of(llm, **wish)
        assert (output.text, output.stop_reason.kind) == ("bb", "eos")


def test_without_a_form_nothing_is_told_of_one():
    with roomy_llm() as llm:
        (output,) = outputs_of(llm, max_new_tokens=3)
        assert (output.complete, output.parsed, output.passed_over) == (None, None, None)


# What is reported


def test_log_probabilities_before_and_after_the_mask():
    stages = ("raw", "processed", "final")
    with roomy_llm() as llm:
        wish = {"choices": ["ab", "cd"], "temperature": 0.5, "seed": 1}
        (output,) = outputs_of(llm, **wish, logprobs=5, logprobs_stage=stages, trace=True)
        first = {stage: output.logprobs_by_stage[stage][0] for stage in stages}
        assert first["raw"].logprob < -1
        assert first["processed"].logprob > first["raw"].logprob
        shares = [np.exp(one.logprob) for one in first["processed"].top]
        assert sum(shares[:2]) == pytest.approx(1)
        names = [stage.name for stage in output.trace[0].stages]
        assert names == ["raw", "choices", "temperature"]
        assert output.trace[0].stages[1].num_candidates == 2
        removed = [one.removed_by for one in output.trace[0].runners_up]
        assert removed.count(1) >= 3


def test_the_mask_wins_where_nothing_of_what_was_left_is_allowed():
    only_x = {"allowed_token_ids": toy_tokenizer().encode("x", add_special_tokens=False)}
    with roomy_llm() as llm:
        (output,) = outputs_of(llm, choices=["ab"], **only_x, trace=True)
        assert output.text == "ab"
        masked = output.trace[0].stages[-1]
        assert (masked.name, masked.mass, masked.num_candidates) == ("choices", 0.0, 1)
        (searched,) = outputs_of(llm, choices=["ab"], **only_x, num_beams=2)
        assert searched.text == "ab"


@pytest.mark.parametrize("dialect", ["transformers", "vllm", "llama.cpp"])
def test_the_mask_is_the_last_before_temperature(dialect):
    with roomy_llm() as llm:
        wish = {"dialect": dialect, "seed": 1, "temperature": 0.9, "presence_penalty": 0.5}
        wish |= {"logit_bias": {65: -1.0}, "logits_processor": lambda row: row, "top_n_sigma": 2.5}
        (output,) = outputs_of(llm, choices=["ab"], **wish, trace=True)
        names = [stage.name for stage in output.trace[0].stages]
        later = ("top_n_sigma", "temperature", "top_k", "top_p", "min_p")
        assert all(name in later for name in names[names.index("choices") + 1 :])
        assert not any(name in later for name in names[: names.index("choices")])


def test_the_next_token_s_odds_are_those_of_the_form():
    with roomy_llm() as llm:
        found = llm.next("the cat", choices=["ab", "cd"], top=VOCAB_SIZE, temperature=1)
        likely = {one.token for one in found.tokens if one.final_probability > 0}
        assert likely == {"a", "c"}


def test_broken_logits_are_an_error_with_a_form_too():
    def script(history):
        row = np.zeros(VOCAB_SIZE, dtype=np.float32)
        row[3] = np.nan
        return row

    with toy_llm(script) as llm, pytest.raises(ArithmeticError, match="NaN"):
        llm.generate("the", choices=["ab"])


# Values


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Part(TypedDict):
    size: int
    note: NotRequired[str]


@dataclass
class Thing:
    name: str
    colour: Colour
    parts: list[Part]
    pair: tuple[int, bool]
    weight: float = 1.0
    grade: Literal["a", "b"] | None = None


class Model(BaseModel):
    legs: int
    colour: Colour | None = None


THING = '{"name":"x","colour":"red","parts":[{"size":1}],"pair":[1,true],"weight":2}'


def reciting(text: str):
    """Goes on with this text, whatever the prompt is."""
    ids = toy_tokenizer().encode(text, add_special_tokens=False)

    def script(history):
        row = np.zeros(VOCAB_SIZE, dtype=np.float32)
        place = len(history) - 1
        row[ids[place] if place < len(ids) else EOS] = CERTAIN
        return row

    return script


def test_a_dataclass_comes_back_as_its_instance():
    with toy_llm(reciting(THING)) as llm:
        output = llm.generate([7], json_schema=Thing, max_new_tokens=200)
        assert output.text == THING
        expected = Thing("x", Colour.RED, [{"size": 1}], (1, True), 2.0)
        assert output.parsed == expected
        assert isinstance(output.parsed.weight, float)


def test_a_typed_dict_and_a_model_of_pydantic():
    with toy_llm(reciting('{"size":3}')) as llm:
        assert llm.generate([7], json_schema=Part, max_new_tokens=99).parsed == {"size": 3}
    with toy_llm(reciting('{"legs":3,"colour":"blue"}')) as llm:
        output = llm.generate([7], json_schema=Model, max_new_tokens=99)
        assert output.parsed == Model(legs=3, colour=Colour.BLUE)


def test_what_a_type_takes_less_of_is_its_own_error_as_it_is_asked_for():
    class Even(BaseModel):
        n: int

        @field_validator("n")
        @classmethod
        def is_even(cls, value: int) -> int:
            assert value % 2 == 0
            return value

    with toy_llm(reciting('{"n":3}')) as llm:
        output = llm.generate([7], json_schema=Even, max_new_tokens=99)
        assert output.complete
        with pytest.raises(ValidationError):
            _ = output.parsed


# Strict and lenient

UNIQUE = {
    "type": "object",
    "properties": {"a": {"type": "array", "uniqueItems": True, "items": {"enum": [1, 2]}}},
    "required": ["a"],
    "additionalProperties": False,
}


def test_a_refusal_names_keyword_and_path():
    with (
        roomy_llm() as llm,
        pytest.raises(ConfigError, match=r"'uniqueItems' at \$\.properties\.a"),
    ):
        llm.generate("the", json_schema=UNIQUE)


@pytest.mark.parametrize(("text", "errors"), [('{"a":[1,1]}', 1), ('{"a":[1,2]}', 0)])
def test_lenient_compiles_what_can_be_and_validates_the_text(text, errors):
    with toy_llm(reciting(text)) as llm:
        with pytest.warns(SettingWarning, match="uniqueItems"):
            output = llm.generate([7], json_schema=UNIQUE, lenient=True, max_new_tokens=99)
        assert "uniqueItems" in output.passed_over[0]
        assert len(output.schema_errors) == errors
        assert output.parsed == (None if errors else json.loads(text))
        assert all("$.a" in one for one in output.schema_errors)


def test_a_misspelt_keyword_is_warned_of():
    schema = {"type": "string", "maxLenght": 3}
    with roomy_llm() as llm, pytest.warns(SettingWarning, match="did you mean 'maxLength'"):
        llm.generate("the", json_schema=schema, max_new_tokens=3)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"json_schema": 3}, "must be a JSON schema"),
        ({"json_schema": "{"}, "is no JSON"),
        ({"json_schema": "[1]"}, "must be a JSON object"),
        ({"json_schema": {"a": {1, 2}}}, "is no JSON"),
        ({"json_schema": int}, "must be a pydantic model, a dataclass or a TypedDict"),
        ({"json_schema": False}, "allows no text"),
        ({"json_schema": {"$ref": "#"}}, "allows no text"),
        ({"json_schema": {"type": "bogus"}}, r"'type' at \$"),
        ({"json_schema": {"items": {"pattern": "(?=a)"}}}, r"'pattern' at \$\.items.*look-around"),
        ({"json_schema": {"$ref": "http://x/y"}}, r"'\$ref' at \$"),
        ({"json_schema": {"multipleOf": 99991}}, r"'multipleOf' at \$ is 99991"),
        ({"json_schema": {"minProperties": 2}}, r"'minProperties' at \$ is 2"),
        ({"json_schema": " " * 2**20 + "{}"}, "characters"),
        ({"regex": ""}, "not empty"),
        ({"regex": "a("}, "regex"),
        ({"regex": "a" * 2**19}, "characters"),
        ({"choices": []}, "at least one"),
        ({"choices": ["a", ""]}, "none empty"),
        ({"grammar": "x"}, "neither Lark nor GBNF"),
        ({"grammar": "start: foo"}, "foo"),
        ({"grammar": "start: start"}, "allows no text"),
        ({"structural_tag": {}}, "must have structures"),
        ({"structural_tag": {"structures": [{"begin": "a"}]}}, "must have structures"),
        ({"json": True, "regex": "a"}, "one form"),
        ({"json_whitespace": "compact"}, "without json_schema"),
        ({"json": True, "json_whitespace": "none"}, "none"),
        ({"lenient": True, "regex": "a"}, "no effect"),
        ({"processors": ["temperature"], "temperature": 1.0, "regex": "a"}, "no 'regex'"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(settings, words):
    with roomy_llm() as llm, pytest.raises(ConfigError, match=words):
        llm.generate("the", max_new_tokens=3, **settings)


def test_a_missing_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "llguidance", None)
    with roomy_llm() as llm, pytest.raises(ConfigError, match="needs llguidance: pip install"):
        llm.generate("the", choices=["a"])


# White space


@pytest.mark.parametrize(
    ("style", "good", "bad"),
    [
        ("free", ['{"a":1}', '{ "a" :\n\n1 }'], ['{   "a":1}', '{\t"a":1}', ' {"a":1}']),
        ("fixed", ['{"a": 1}'], ['{"a":1}', '{ "a": 1}']),
        ("compact", ['{"a":1}'], ['{"a": 1}']),
    ],
)
def test_white_space(style, good, bad):
    with roomy_llm() as llm:
        schema = {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}
        schema["additionalProperties"] = False
        config = GenerationConfig(json_schema=schema, json_whitespace=style)
        grammar = llm._require_open().inputs._grammars.find(config)
        assert [text for text in good if not grammar.accepts(text)] == []
        assert [text for text in bad if grammar.accepts(text)] == []


def test_the_order_of_keys_is_the_schema_s():
    schema = '{"type":"object","properties":{"z":{"const":1},"a":{"const":2}},"required":["z","a"]}'
    with roomy_llm() as llm:
        (output,) = outputs_of(
            llm, json_schema=schema, json_whitespace="compact", max_new_tokens=10
        )
        assert output.text.startswith('{"z":1,"a')


# Vocabularies


def test_a_model_that_begins_texts_with_a_token_is_held_to_nothing_else():
    with toy_llm(adds_bos=True) as llm:
        (output,) = outputs_of(llm, json_schema=SCHEMA, **HOT)
        jsonschema.validate(output.parsed, SCHEMA)


def test_rows_without_a_token_are_never_allowed():
    size = VOCAB_SIZE + 37

    def script(history):
        row = np.zeros(size, dtype=np.float32)
        row[VOCAB_SIZE:] = 50.0
        return row

    backend = ScriptedBackend(script, vocab_size=size)
    with LLM(backend, tokenizer=toy_tokenizer()) as llm:
        (output,) = outputs_of(llm, json_schema=SCHEMA, **HOT)
        jsonschema.validate(output.parsed, SCHEMA)


def test_special_tokens_are_no_text():
    vocabulary = token_bytes(toy_tokenizer(), VOCAB_SIZE)
    assert vocabulary.special == {EOS, EOS - 1}
    with roomy_llm() as llm:
        grammar = llm._require_open().inputs._grammars.find(GenerationConfig(regex="(.|\n)*"))
        allowed = grammar.start().allowed()
        assert not allowed[[EOS, EOS - 1]].any()


# Compiling


def test_a_language_is_compiled_once_and_the_vocabulary_read_once(monkeypatch):
    made, read = [], []
    build, compiled = compiler.build_tokenizer, compiler.GrammarCompiler._compile
    monkeypatch.setattr(compiler, "build_tokenizer", lambda one: read.append(1) or build(one))
    monkeypatch.setattr(
        compiler.GrammarCompiler,
        "_compile",
        lambda self, source: made.append(source.setting) or compiled(self, source),
    )
    with roomy_llm() as llm:
        for _ in range(3):
            llm.generate(["the", "cat"], choices=["a", "b"])
            llm.generate("the", regex="a")
    assert (made, len(read)) == (["choices", "regex"], 1)


def test_what_fails_to_compile_is_tried_again():
    with roomy_llm() as llm:
        for _ in range(2):
            with pytest.raises(ConfigError):
                llm.generate("the", regex="a(")


def test_blocks_are_free_again():
    with roomy_llm() as llm:
        before = engine_of(llm).num_free_blocks
        for settings in WAYS.values():
            outputs_of(llm, json_schema=SCHEMA, **settings)
        assert engine_of(llm).num_free_blocks == before


def test_a_language_is_compiled_beside_the_event_loop_and_beside_the_engine(monkeypatch):
    threads = []
    compiled = compiler.GrammarCompiler._compile

    def compile_slowly(self, source):
        threads.append(threading.current_thread().name)
        others.wait()  # until other requests have run to their end
        return compiled(self, source)

    monkeypatch.setattr(compiler.GrammarCompiler, "_compile", compile_slowly)
    others = threading.Event()

    async def main() -> None:
        async with AsyncLLM(scripted(), tokenizer=toy_tokenizer()) as llm:
            held = asyncio.create_task(llm.generate("the", choices=["ab", "cd"]))
            same = asyncio.create_task(llm.generate("cat", choices=["ab", "cd"]))
            for _ in range(3):
                assert (await llm.generate("the cat", max_new_tokens=5)).token_ids
            others.set()
            assert {(await held).text, (await same).text} <= {"ab", "cd"}

    run(main)
    assert threads == ["foretell-grammar"]


def test_a_search_s_tree_and_explanations_show_what_the_form_ruled_out():
    with roomy_llm() as llm:
        tree = llm.beams("the cat", num_beams=2, choices=["abc", "abd"], max_new_tokens=5)
        assert {one.text for one in tree.hypotheses} == {"abc", "abd"}
        told = llm.explain("the cat", choices=["ab"], max_new_tokens=5)
        assert "choices" in str(told)
