"""What users rely on, held to a snapshot: names, settings, flags, JSON keys, exit codes.

The snapshot, `snapshots/public_surface.json`, has a section for each test below. Nothing in it may
be lost or changed. What is added (a setting, a method, a flag, a command, an error) breaks nobody
and is let pass; new JSON keys are not. To see all additions as failures too, and to rewrite the
snapshot on purpose:

    FORETELL_SNAPSHOT=strict  python -m pytest tests/test_public_surface.py
    FORETELL_SNAPSHOT=rewrite python -m pytest tests/test_public_surface.py

A test rewrites its own section only. Those that need the default model are marked by the fixture
`default_model_path`; the rest need neither it nor torch.

Annotations may be spelled anew, so signatures are kept without them. Messages of click's own are
left out, since they change with its release.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import io
import itertools
import json
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, is_typeddict

import click
import pytest
from support.fake_hub import FakeHub
from support.toy import toy_llm

import foretell
from foretell import GenerationConfig, errors
from foretell.cli import main
from foretell.llm import LLM

SNAPSHOT = Path(__file__).parent / "snapshots" / "public_surface.json"
MODE = os.environ.get("FORETELL_SNAPSHOT", "")
COLUMNS = 110

DOORS = ("backend",)
"""Attributes of `LLM` for measurements: no promise to users."""

PROTOCOLS = (
    *("__enter__", "__exit__", "__aenter__", "__aexit__", "__iter__", "__len__", "__getitem__"),
    *("__contains__", "__str__", "_repr_html_"),
)


# The snapshot: reading, comparing, writing.


def hold(section: str, found: Mapping[str, Any], *, is_closed: bool = False) -> None:
    """Compare what was found with the section; where `is_closed`, additions fail as well."""
    found = json.loads(json.dumps(found))
    whole = json.loads(SNAPSHOT.read_text(encoding="utf-8")) if SNAPSHOT.exists() else {}
    if MODE == "rewrite":
        whole[section] = found
        SNAPSHOT.write_text(dump(whole) + "\n", encoding="utf-8")
        return
    expected = whole[section]
    if not (is_closed or MODE == "strict"):
        found = without_additions(found, expected)
    if found != expected:
        differences = difflib.unified_diff(
            dump(expected).splitlines(),
            dump(found).splitlines(),
            "snapshot",
            "found",
            "",
            "",
            2,
            "",
        )
        pytest.fail(f"{section} differs:\n" + "\n".join(differences), pytrace=False)


def without_additions(found: Any, expected: Any) -> Any:
    """`found` without those keys and items that are not expected."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return {
            key: without_additions(value, expected[key])
            for key, value in found.items()
            if key in expected
        }
    if isinstance(found, list) and isinstance(expected, list):
        return [item for item in found if item in expected]
    return found


def dump(value: Any, indent: str = "") -> str:
    """Sorted JSON in which whatever fits a line has one."""
    line = json.dumps(value, sort_keys=True, ensure_ascii=False)
    is_nested = isinstance(value, dict) and any(isinstance(v, dict) for v in value.values())
    if len(indent) + len(line) <= COLUMNS and not (is_nested and len(indent) < 4):
        return line
    inner = indent + "  "
    if isinstance(value, dict) and value:
        items = [f"{json.dumps(key)}: {dump(value[key], inner)}" for key in sorted(value)]
        return "{\n" + ",\n".join(inner + item for item in items) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        items = [dump(item, inner) for item in value]
        return "[\n" + ",\n".join(inner + item for item in items) + f"\n{indent}]"
    return line


def schema(value: Any) -> Any:
    """Keys and types of plain data; the items of a list are put together."""
    if isinstance(value, dict):
        return {key: schema(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        merged: list[Any] = []
        for item in value:
            merged = [joined(merged[0], schema(item))] if merged else [schema(item)]
        return merged
    return "null" if value is None else type(value).__name__


def joined(one: Any, other: Any) -> Any:
    """What describes both; a key that only some have ends with "?"."""
    if one == other:
        return one
    if isinstance(one, dict) and isinstance(other, dict) and "one of" not in {*one, *other}:
        return _joined_dicts(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return [joined(one[0], other[0])] if one and other else one or other
    kinds = [*_kinds(one)]
    for kind in _kinds(other):
        alike = next((known for known in kinds if type(known) is type(kind) is not str), None)
        if alike is not None:
            kinds[kinds.index(alike)] = joined(alike, kind)
        elif kind not in kinds:
            kinds.append(kind)
    return {"one of": sorted(kinds, key=str)}


def _joined_dicts(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    bare = [{key.removesuffix("?"): value for key, value in part.items()} for part in (one, other)]
    found = {}
    for key in {**bare[0], **bare[1]}:
        values = [part[key] for part in bare if key in part]
        is_certain = key in one and key in other
        found[key if is_certain else f"{key}?"] = joined(values[0], values[-1])
    return found


def _kinds(found: Any) -> list[Any]:
    return list(found["one of"]) if isinstance(found, dict) and "one of" in found else [found]


# Names and signatures.


def test_names_and_signatures() -> None:
    found = {name: _described(getattr(foretell, name)) for name in foretell.__all__}
    hold("names", found)


def test_all_names_are_listed_and_sorted() -> None:
    assert sorted(foretell.__all__) == dir(foretell)


def test_attributes_of_an_open_llm() -> None:
    with toy_llm() as llm:
        hold("attributes of an LLM", {"names": sorted(n for n in vars(llm) if n[0] != "_")})


def _described(thing: Any) -> Any:
    if not inspect.isclass(thing):
        return _signature(thing) if callable(thing) else type(thing).__name__
    if is_typeddict(thing):
        return {"keys": sorted(thing.__optional_keys__)}
    found: dict[str, Any] = {"members": _members(thing)}
    if issubclass(thing, BaseException):
        found["bases"] = [base.__name__ for base in thing.__mro__[1:-1]]
        if issubclass(thing, errors.ForetellError):
            found["exit_code"] = thing.exit_code
    else:
        found["call"] = _call(thing)
    if dataclasses.is_dataclass(thing):
        found["fields"] = {
            field.name: _default(field)
            for field in dataclasses.fields(thing)
            if not field.name.startswith("_")
        }
        found["frozen"] = thing.__dataclass_params__.frozen  # type: ignore[attr-defined]
    return {key: value for key, value in found.items() if value not in ({}, [])}


def _members(thing: type) -> dict[str, str]:
    fields = getattr(thing, "__dataclass_fields__", {})
    found = {}
    for owner in thing.__mro__:
        if not owner.__module__.startswith("foretell"):
            continue
        for name, member in vars(owner).items():
            is_public = not name.startswith("_") or name in PROTOCOLS
            if is_public and name not in fields and not (thing is LLM and name in DOORS):
                found.setdefault(name, _member(member))
    return found


def _member(member: Any) -> str:
    if isinstance(member, (property, cached_property)):
        return "property"
    if isinstance(member, (staticmethod, classmethod)):
        return f"{type(member).__name__} {_signature(member.__func__)}"
    if callable(member):
        is_async = inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member)
        return ("async " if is_async else "") + _signature(member)
    return repr(member)


def _signature(thing: Any) -> str:
    signature = inspect.signature(thing)
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
    ]
    return str(inspect.Signature(bare))


def _call(thing: type) -> Any:
    """How it is made; where by keywords alone, by name, so that one more changes none of them."""
    parameters = inspect.signature(thing).parameters
    if parameters and all(one.kind is one.KEYWORD_ONLY for one in parameters.values()):
        return {name: repr(one.default) for name, one in parameters.items()}
    return _signature(thing)


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return repr(field.default)
    if field.default_factory is not dataclasses.MISSING:
        return f"{field.default_factory.__name__}()"
    return "required"


# Settings: what is accepted, refused, warned of.


def _words(text: str, history: list[int]) -> bool:
    return False


def _allowed(history: list[int]) -> list[int]:
    return [1]


def _processor(row: Any) -> None:
    pass


SETTINGS: dict[str, dict[str, Any]] = {
    "do_sample": {"do_sample": True},
    "greedy": {"do_sample": False},
    "temperature": {"temperature": 0.7},
    "temperature 0": {"temperature": 0},
    "dynatemp_range": {"dynatemp_range": 0.5},
    "dynatemp_exponent": {"dynatemp_range": 0.5, "dynatemp_exponent": 2.0},
    "top_k": {"top_k": 40},
    "top_k off": {"top_k": 0},
    "top_p": {"top_p": 0.9},
    "min_p": {"min_p": 0.05},
    "typical_p": {"typical_p": 0.9},
    "epsilon_cutoff": {"epsilon_cutoff": 0.001},
    "eta_cutoff": {"eta_cutoff": 0.001},
    "top_h": {"top_h": 0.4},
    "top_n_sigma": {"top_n_sigma": 1.0},
    "xtc_probability": {"xtc_probability": 0.5},
    "xtc_threshold": {"xtc_probability": 0.5, "xtc_threshold": 0.2},
    "xtc_exempt_tokens": {"xtc_probability": 0.5, "xtc_exempt_tokens": [3]},
    "mirostat": {"mirostat": 2},
    "mirostat off": {"mirostat": 0},
    "mirostat_tau": {"mirostat": 1, "mirostat_tau": 4.0},
    "mirostat_eta": {"mirostat": 1, "mirostat_eta": 0.2},
    "adaptive_target": {"adaptive_target": 0.5},
    "adaptive_decay": {"adaptive_target": 0.5, "adaptive_decay": 0.8},
    "min_tokens_to_keep": {"min_tokens_to_keep": 2},
    "repetition_penalty": {"repetition_penalty": 1.2},
    "frequency_penalty": {"frequency_penalty": 0.5},
    "presence_penalty": {"presence_penalty": 0.5},
    "penalty_scope": {"presence_penalty": 0.5, "penalty_scope": "output"},
    "penalty_exempt_tokens": {"presence_penalty": 0.5, "penalty_exempt_tokens": 3},
    "dry_multiplier": {"dry_multiplier": 0.8},
    "dry_base": {"dry_multiplier": 0.8, "dry_base": 2.0},
    "dry_allowed_length": {"dry_multiplier": 0.8, "dry_allowed_length": 3},
    "dry_penalty_last_n": {"dry_multiplier": 0.8, "dry_penalty_last_n": 64},
    "dry_sequence_breakers": {"dry_multiplier": 0.8, "dry_sequence_breakers": ["."]},
    "no_repeat_ngram_size": {"no_repeat_ngram_size": 3},
    "bad_words": {"bad_words": "cat"},
    "bad_words_ids": {"bad_words_ids": [[3, 4]]},
    "allowed_token_ids": {"allowed_token_ids": [3, 4]},
    "suppress_tokens": {"suppress_tokens": [3, 4]},
    "begin_suppress_tokens": {"begin_suppress_tokens": [3, 4]},
    "logit_bias": {"logit_bias": {3: -1, " the": 2.0}},
    "sequence_bias": {"sequence_bias": {(3, 4): -1.0}},
    "min_length": {"min_length": 4},
    "min_new_tokens": {"min_new_tokens": 4},
    "forced_bos_token_id": {"forced_bos_token_id": 3},
    "forced_eos_token_id": {"forced_eos_token_id": 3, "max_new_tokens": 8},
    "exponential_decay_length_penalty": {"exponential_decay_length_penalty": (4, 1.1)},
    "prefix_allowed_tokens_fn": {"prefix_allowed_tokens_fn": _allowed},
    "remove_invalid_values": {"remove_invalid_values": True},
    "renormalize_logits": {"renormalize_logits": True},
    "logits_processor": {"logits_processor": _processor},
    "processors": {"processors": ["temperature", "top_k"]},
    "guidance_scale": {"guidance_scale": 1.5},
    "negative_prompt": {"guidance_scale": 1.5, "negative_prompt": "no"},
    "dialect vllm": {"dialect": "vllm"},
    "dialect llama.cpp": {"dialect": "llama.cpp"},
    "preset code": {"preset": "code"},
    "preset creative": {"preset": "creative"},
    "preset chat": {"preset": "chat"},
    "preset summary": {"preset": "summary"},
    "preset greedy": {"preset": "greedy"},
    "preset precise": {"preset": "precise"},
    "preset model": {"preset": "model"},
    "max_new_tokens": {"max_new_tokens": 8},
    "max_length": {"max_length": 8},
    "max_time": {"max_time": 8},
    "eos_token_id": {"eos_token_id": 3},
    "ignore_eos": {"ignore_eos": True},
    "stop_token_ids": {"stop_token_ids": 3},
    "stop": {"stop": "."},
    "include_stop_str_in_output": {"stop": ".", "include_stop_str_in_output": True},
    "stop_regex": {"stop_regex": "[.]"},
    "repetition_detection": {"repetition_detection": True},
    "stopping_criteria": {"stopping_criteria": _words},
    "seed": {"seed": 3},
    "num_return_sequences": {"num_return_sequences": 2, "temperature": 0.7},
    "num_beams": {"num_beams": 3},
    "length_penalty": {"num_beams": 3, "length_penalty": 0.5},
    "early_stopping": {"num_beams": 3, "early_stopping": True},
    "logprobs": {"logprobs": 2},
    "logprobs_stage": {"logprobs": 2, "logprobs_stage": "final"},
    "prompt_logprobs": {"prompt_logprobs": 2},
    "trace": {"trace": True},
}
"""Each setting at a value that is legal, with those that it needs."""

ODD = (
    *({"temperature": 9}, {"top_k": 5000}, {"top_p": 0.01}, {"min_p": 0.9}, {"num_beams": 50}),
    *({"repetition_penalty": 0.5}, {"temperature": 0, "top_k": 5}, {"guidance_scale": 0.1}),
    *({"dry_multiplier": 9, "dry_base": 9, "dry_allowed_length": 50}, {"mirostat": 3}),
    *({"num_beams": 2, "num_return_sequences": 3}, {"num_return_sequences": 2}, {"seed": -1}),
    *({"min_new_tokens": 3, "max_new_tokens": 2}, {"early_stopping": True}, {"stop": ""}),
    *({"length_penalty": 2.0}, {"forced_eos_token_id": 3}, {"logprobs_stage": "final"}),
    *({"temperature": float("nan")}, {"top_k": True}, {"top_k": 1.5}, {"logit_bias": {"": 1}}),
    *({"repetition_detection": {"min_count": 1}}, {"penalty_scope": 0}, {"dialect": "nope"}),
)

OTHER_NAMES = (
    *("max_tokens", "n", "n_predict", "min_tokens", "stop_strings", "repeat_penalty"),
    *("repeat_last_n", "typ_p", "temp", "negative_prompt_ids", "top_logprobs"),
    *("logits_processors", "top_kk", "xyzzy"),
)


class Wrong:
    """What no setting takes."""

    def __repr__(self) -> str:
        return "<wrong>"


def _told(make: Callable[[], GenerationConfig]) -> Any:
    """What the settings come to, or why not."""
    try:
        config = make()
    except foretell.ForetellError as error:
        return f"{type(error).__name__}: {error}"
    told = {"in force": config.as_dict(), "stated": sorted(config.stated)}
    if config.samples:
        told["samples"] = True
    if config.warnings:
        told["warnings"] = list(config.warnings)
    return told


def test_settings_alone() -> None:
    found = {name: _told(lambda given=given: GenerationConfig(**given)) for name, given in _all()}
    hold("settings alone", found, is_closed=True)


def test_what_is_refused() -> None:
    names = [field.name for field in dataclasses.fields(GenerationConfig) if field.init]
    wrong = {name: _told(lambda name=name: GenerationConfig(**{name: Wrong()})) for name in names}
    unknown = {
        name: _told(lambda name=name: GenerationConfig().override(**{name: 1}))
        for name in OTHER_NAMES
    }
    odd = {repr(given): _told(lambda given=given: GenerationConfig(**given)) for given in ODD}
    hold("wrong values", wrong)
    hold("odd values", {"unknown names": unknown, "odd values": odd}, is_closed=True)


def test_pairs_of_settings_that_are_refused() -> None:
    found = {}
    for (one, first), (other, second) in itertools.combinations(_all(), 2):
        told = _told(lambda: GenerationConfig(**{**first, **second}))  # noqa: B023  run at once
        if isinstance(told, str):
            found[f"{one} + {other}"] = told
    hold("refused pairs", found, is_closed=True)


def _all() -> list[tuple[str, dict[str, Any]]]:
    return list(SETTINGS.items())


# The command line.


@dataclass(frozen=True)
class Shell:
    """Runs commands on a toy model, in this process."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def model(self, make: Callable[[], Any]) -> None:
        """Let commands open what `make` makes."""
        self.monkeypatch.setattr("foretell.llm.LLM", lambda *_, **__: make())

    def run(self, *arguments: str, stdin: bytes | None = None) -> tuple[int, str, str]:
        """Exit code, output and errors of a command; without `stdin` it has a terminal."""
        stream = io.TextIOWrapper(io.BytesIO(stdin or b""))
        stream.isatty = lambda: stdin is None  # type: ignore[method-assign]
        self.monkeypatch.setattr(sys, "stdin", stream)
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as exit_request:
            main.run(arguments)
        said = self.capsys.readouterr()
        return int(exit_request.value.code or 0), said.out, said.err

    def json(self, *arguments: str) -> Any:
        """Keys and types of a command's JSON."""
        code, out, err = self.run(*arguments)
        assert code == 0, err
        return schema(json.loads(out))


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    before = signal.getsignal(signal.SIGTERM)
    yield Shell(capsys, monkeypatch)
    signal.signal(signal.SIGTERM, before)


def test_commands_and_options() -> None:
    context = main.cli.make_context("foretell", [], resilient_parsing=True)
    hold("commands", dict(_commands(main.cli, context, "foretell")))


def _commands(
    command: click.Command, context: click.Context, name: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    yield name, dict(_parameter(parameter) for parameter in command.get_params(context))
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None, f"{name} {inner} is listed, and is not there"
            yield from _commands(found, click.Context(found, context, inner), f"{name} {inner}")


def _parameter(parameter: click.Parameter) -> tuple[str, dict[str, Any]]:
    facts = {
        "argument": isinstance(parameter, click.Argument),
        "choices": [str(one) for one in getattr(parameter.type, "choices", ())],
        "default": _stated_default(parameter),
        "flag": getattr(parameter, "is_flag", False),
        "hidden": getattr(parameter, "hidden", False),
        "metavar": parameter.metavar,
        "repeatable": parameter.multiple,
        "required": parameter.required,
        "type": parameter.type.name,
    }
    spelled = " ".join([*parameter.opts, *parameter.secondary_opts])
    return spelled, {key: value for key, value in facts.items() if value not in (None, False, [])}


def _stated_default(parameter: click.Parameter) -> Any:
    """The default, as text; None for all the ways in which click says that there is none."""
    default = parameter.default
    if default in (None, False, ()) or type(default).__name__ == "Sentinel":
        return None if default != 0 or default is False else "0"
    return str(default)


TOY_COMMANDS = (
    *("generate the --json", "generate the --json -n 2 --temperature 1 --seed 1"),
    "generate the --json --logprobs 2 --logprobs-stage raw,final --prompt-logprobs 1 --stop a",
    "generate the --json --trace --top-k 5 --seed 1 --max-new-tokens 3",
    "generate the --json --num-beams 3 -n 2 --max-new-tokens 4 --logprobs 1",
    *("next the --json", "next the --json --top 3 --top-k 2", "score thethe --json"),
    *("score thethe --json --top 2", "explain the --json", "explain the --json --token 0"),
    "explain the --json --temperature 1 --top-k 9 --seed 3",
    *("beams the --json", "beams the --json --num-beams 2 --do-sample --seed 1"),
    "compare the --json --setting greedy: --setting warm:temperature=2 --seeds 2",
    *("guide --json", "guide temperature --json", "guide stop --json", "guide code --json"),
    "guide llama.cpp --json",
)


def test_json_of_commands(shell: Shell) -> None:
    shell.model(toy_llm)
    hold("json", {line: shell.json(*line.split()) for line in TOY_COMMANDS}, is_closed=True)


def test_json_of_models(shell: Shell, fake_hub: FakeHub) -> None:
    fake_hub.publish(b"a model")
    lines = ("models --json", "models list --json", "models pull tiny --json")
    lines += ("models path tiny --json", "models remove tiny --json")
    hold("json of models", {line: shell.json(*line.split()) for line in lines}, is_closed=True)


def test_dict_forms() -> None:
    wishes: dict[str, Any] = {"max_new_tokens": 4, "temperature": 1.0, "top_k": 9, "seed": 1}
    with toy_llm() as llm:
        found = {
            "generate": llm.generate("the", max_new_tokens=3),
            "generate, reports": llm.generate(
                "the", logprobs=1, logprobs_stage=("raw", "final"), prompt_logprobs=1, **wishes
            ),
            "generate, trace": llm.generate("the", trace=True, **wishes),
            "stream": list(llm.stream("the", logprobs=1, **wishes)),
            "next": llm.next("the", 2, top_k=5),
            "score": llm.score("the cat", 1),
            "explain": llm.explain("the", **wishes),
            "beams": llm.beams("the", num_beams=2, max_new_tokens=3),
            "compare": llm.compare("the", {"a": {}, "b": {"top_k": 3}}, seeds=2, max_new_tokens=3),
        }
    forms = {
        name: schema(
            [one.to_dict() for one in value] if isinstance(value, list) else value.to_dict()
        )
        for name, value in found.items()
    }
    hold("dict forms", forms, is_closed=True)


# Exit codes.

FAILURES: dict[str, tuple[str, ...]] = {
    "top_p out of range": ("generate", "the", "--top-p", "2"),
    "contradiction": ("generate", "the", "--greedy", "--top-k", "5"),
    "beams with mirostat": ("generate", "the", "--num-beams", "2", "--mirostat", "2"),
    "samples of greedy": ("generate", "the", "-n", "2"),
    "logprobs without json": ("generate", "the", "--logprobs", "2"),
    "trace without json": ("generate", "the", "--trace"),
    "no tokens": ("generate", ""),
    "too long": ("generate", "the " * 5000),
    "missing prompt file": ("generate", "--file", "TMP/none.txt"),
    "prompt file not UTF-8": ("generate", "--file", "TMP/latin.txt"),
    "next, top 0": ("next", "the", "--top", "0"),
    "score, top -1": ("score", "the", "--top", "-1"),
    "explain, no folder": ("explain", "the", "--html", "TMP/none/page.html"),
    "explain, token too late": ("explain", "the", "--token", "99"),
    "beams, 1": ("beams", "the", "--num-beams", "1"),
    "compare, no name": ("compare", "the", "--setting", "top_k=5"),
    "compare, twice": ("compare", "the", "--setting", "a:", "--setting", "a:"),
    "compare, unknown": ("compare", "the", "--setting", "a:top_kk=5"),
    "compare, seeds": ("compare", "the", "--seeds", "0"),
    "compare, plot": ("compare", "the", "--plot", "TMP/plot.gif"),
    "guide, unknown": ("guide", "temperatur"),
    "models path, unknown": ("models", "path", "smolm2-135m-instruct"),
    "models pull, unknown": ("models", "pull", "xyzzy"),
    "models verify, not cached": ("models", "verify", "tiny"),
    "models remove, not cached": ("models", "remove", "tiny"),
    "bench, too long": ("bench", "--prompt-tokens", "100000"),
    "unknown command": ("modles",),
    "no such command": ("xyzzy",),
    "a stop": ("generate", "the", "--max-new-tokens", "1"),
    "help": ("--help",),
    "version": ("--version",),
}
MISUSES: dict[str, tuple[str, ...]] = {
    "unknown option": ("generate", "the", "--xyzzy"),
    "unknown option of foretell": ("--xyzzy",),
    "not a number": ("generate", "the", "--top-k", "x"),
    "not ids": ("generate", "the", "--suppress-tokens", "a,b"),
    "unknown preset": ("generate", "the", "--preset", "nope"),
    "unknown dialect": ("generate", "the", "--dialect", "nope"),
    "no prompt": ("generate",),
    "prompt and file": ("generate", "the", "--file", "x"),
    "too many arguments": ("next", "a", "b"),
    "option of another command": ("next", "the", "--seed", "5"),
    "no name": ("models", "pull"),
    "bench, one token": ("bench", "--tokens", "1"),
}


def test_exit_codes_of_errors(shell: Shell) -> None:
    found = {}
    for name, error in sorted(vars(errors).items()):
        if inspect.isclass(error) and issubclass(error, errors.ForetellError):

            def fail(error: type[BaseException] = error) -> None:
                raise error("what\nwent wrong")

            shell.model(fail)
            code, out, err = shell.run("generate", "the")
            assert out == ""
            found[name] = [code, err]
    hold("exit codes of errors", found)


def test_exit_codes_of_commands(shell: Shell, fake_hub: FakeHub, tmp_path: Path) -> None:
    fake_hub.publish(b"a model")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    shell.model(toy_llm)
    found = {name: _end(shell, line, tmp_path) for name, line in FAILURES.items()}
    misuses = {name: shell.run(*line)[0] for name, line in MISUSES.items()}
    hold("exit codes of commands", {**found, **misuses}, is_closed=True)


def _end(shell: Shell, line: tuple[str, ...], tmp_path: Path) -> list[Any]:
    """Exit code, and the error's line if there is one, without the path of the test's folder."""
    code, _, err = shell.run(*(part.replace("TMP", str(tmp_path)) for part in line))
    message = err.replace(str(tmp_path), "TMP").strip()
    message = message.replace(", ".join(main.cli.list_commands(None)), "COMMANDS")  # they may grow
    return [code, message] if code else [code]


def test_exit_codes_of_model_files(shell: Shell, tmp_path: Path) -> None:
    contents = {
        "empty.gguf": b"",
        "other.gguf": b"what is this?" * 99,
        "old.gguf": b"GGUF" + (1).to_bytes(4, "little") + bytes(64),
        "cut.gguf": b"GGUF" + (3).to_bytes(4, "little") + (9).to_bytes(8, "little"),
        "huge.gguf": b"GGUF" + (3).to_bytes(4, "little") + b"\xff" * 16 + bytes(64),
        "folder/config.json": b"{",
        "strange/config.json": b'{"model_type": "xyzzy"}',
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "nothing").mkdir()
    names = {name.removesuffix("/config.json") for name in contents} | {"nothing", "missing.gguf"}
    lines = {name: ("generate", "the", "--model", f"TMP/{name}") for name in sorted(names)}
    lines["unknown name"] = ("generate", "the", "--model", "xyzzy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {name: _end(shell, line, tmp_path) for name, line in lines.items()}
    hold("exit codes of model files", found, is_closed=True)


# With the default model.

MODEL_COMMANDS = (
    *("generate MODEL --json --max-new-tokens 4", "next MODEL --json", "score MODEL --json"),
    "generate MODEL --json --max-new-tokens 4 -n 2 --preset chat --seed 1 --logprobs 1",
    *("explain MODEL --json --max-new-tokens 2", "beams MODEL --json --max-new-tokens 3"),
    "compare MODEL --json --setting greedy: --setting warm:temperature=2 --max-new-tokens 4",
    "bench MODEL --tokens 4 --prompt-tokens 8 --rounds 1",
)


def test_json_on_the_default_model(shell: Shell, default_model_path: Path) -> None:
    found = {}
    for line in MODEL_COMMANDS:
        name, _, *rest = line.split()
        prompt = () if name == "bench" else ("The cat sat on the",)
        found[line] = shell.json(name, *prompt, "--model", str(default_model_path), *rest)
    hold("json on the default model", found, is_closed=True)


def test_json_of_cached_models(shell: Shell, default_model_path: Path) -> None:
    name = "smollm2-135m-instruct"
    lines = (f"models path {name} --json", f"models pull {name} --json")
    found = {line: shell.json(*line.split()) for line in lines}
    hold("json of a cached model", found, is_closed=True)


def test_exit_codes_of_a_cut_model(shell: Shell, default_model_path: Path, tmp_path: Path) -> None:
    whole = default_model_path.read_bytes()
    found = {}
    for share in (10, 2):
        (tmp_path / "cut.gguf").write_bytes(whole[: len(whole) // share])
        line = ("generate", "the", "--model", "TMP/cut.gguf")
        found[f"1/{share}"] = _end(shell, line, tmp_path)
    (tmp_path / "cut.gguf").write_bytes(whole)
    for name, line in {
        "fine": ("--max-new-tokens", "1"),
        "context of 0": ("--context-length", "0"),
        "context of 8": ("--context-length", "4"),
        "threads 0": ("--threads", "0"),
        "kv share 2": ("--kv-share", "2"),
        "quantize": ("--quantize", "q4"),
        "device": ("--device", "cpu", "--backend", "native"),
    }.items():
        arguments = ("generate", "The cat sat on the mat", "--model", "TMP/cut.gguf", *line)
        found[name] = _end(shell, arguments, tmp_path)
    hold("exit codes on the default model", found, is_closed=True)
