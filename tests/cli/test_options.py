"""Every setting can be written on the command line."""

from __future__ import annotations

import dataclasses
import math

import click
import pytest
from click.testing import CliRunner
from support.toy import toy_llm

from foretell import GenerationConfig
from foretell.cli.commands import generate
from foretell.cli.commands import next as next_token
from foretell.cli.main import cli
from foretell.cli.options import MODEL_OPTIONS, given, warn, with_options
from foretell.cli.settings import USUAL, SettingOption
from foretell.config import RANGES
from foretell.config.settings import SETTINGS, Kind
from foretell.config.validators import RepetitionDetection
from foretell.config.values import Notation, Values
from foretell.errors import SettingWarning

FUNCTIONS = {
    name
    for name, row in SETTINGS.items()
    if isinstance(row.values, Values) and row.values.notation is Notation.NONE
}
EVERY = {field.name for field in dataclasses.fields(GenerationConfig) if field.init}
OTHERS = {
    "prompt",
    "file",
    "parse_special",
    "model",
    "threads",
    "as_json",
    "no_limit",
    "quiet",
    "top",
}


def read(*arguments: str, command: click.Command = generate.command) -> dict[str, object]:
    """The settings that a command line states."""
    parent = cli.make_context("foretell", [], resilient_parsing=True)  # click keeps its --help
    context = command.make_context("generate", ["a prompt", *arguments], parent=parent)
    return given({name: value for name, value in context.params.items() if name not in OTHERS})


def settings_of(command: click.Command) -> set[str]:
    return {str(option.name) for option in command.params if isinstance(option, SettingOption)}


def test_every_setting_is_an_option_or_a_function():
    assert settings_of(generate.command) | FUNCTIONS == EVERY
    assert not settings_of(generate.command) & FUNCTIONS
    assert sorted(FUNCTIONS) == [
        "logits_processor",
        "prefix_allowed_tokens_fn",
        "stopping_criteria",
    ]


def test_next_has_what_shapes_the_distribution():
    missing = settings_of(generate.command) - settings_of(next_token.command)
    kinds = (Kind.RUN, Kind.REPORT, Kind.END, Kind.LAST)
    searching = {"num_beams", "length_penalty", "early_stopping", "patience"}
    searching |= {"num_beam_groups", "diversity_penalty", "force_words", "stochastic_beams"}
    others = {name for name, row in SETTINGS.items() if row.kind in kinds}
    assert missing == (searching | others) - FUNCTIONS
    assert missing >= {
        *("seed", "max_new_tokens", "max_length", "max_time", "eos_token_id", "ignore_eos"),
        *("forced_eos_token_id", "stop", "include_stop_str_in_output", "stop_regex"),
        *("stop_token_ids", "repetition_detection", "logprobs", "logprobs_stage"),
        *("prompt_logprobs", "trace", "num_return_sequences"),
    }


@pytest.mark.parametrize("name", RANGES)
def test_every_number_reaches_the_config(name):
    value = RANGES[name].kind(RANGES[name].low if math.isfinite(RANGES[name].low) else 0)
    value += RANGES[name].open_low
    option = f"--{name.replace('_', '-')}"
    assert read(option, str(value)) == {name: value}
    assert type(read(option, str(value))[name]) is RANGES[name].kind
    with pytest.raises(click.BadParameter, match="'many' is not a valid") as caught:
        read(option, "many")
    assert f"'{option}'" in caught.value.format_message()


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        (["--stop", "###", "--stop", "a,b"], {"stop": ("###", "a,b")}),
        (["--stop-token-ids", "1,2", "--stop-token-ids", "3"], {"stop_token_ids": (1, 2, 3)}),
        (["--bad-words", "cat", "--bad-words", "a dog"], {"bad_words": ("cat", "a dog")}),
        (["--bad-words-ids", "1,2", "--bad-words-ids", "3"], {"bad_words_ids": ((1, 2), (3,))}),
        (
            ["--logit-bias", "5=-inf", "--logit-bias", " a=b=1.5", "--logit-bias", '"42"=2'],
            {"logit_bias": {5: -math.inf, " a=b": 1.5, '"42"': 2.0}},
        ),
        (["--logit-bias", '"\\n"=1'], {"logit_bias": {"\n": 1.0}}),
        (["--sequence-bias", "1,2=-3"], {"sequence_bias": {(1, 2): -3.0}}),
        (
            ["--exponential-decay-length-penalty", "20,1.1"],
            {"exponential_decay_length_penalty": (20, 1.1)},
        ),
        (["--repetition-detection", "on"], {"repetition_detection": RepetitionDetection()}),
        (
            ["--repetition-detection", "9,2,3"],
            {"repetition_detection": RepetitionDetection(9, 2, 3)},
        ),
        (["--preset", "code"], {"preset": "code"}),
        (["--dialect", "llama.cpp"], {"dialect": "llama.cpp"}),
        (
            ["--top-k", "5", "--processors", "top_k, temperature"],
            {"top_k": 5, "processors": ("top_k", "temperature")},
        ),
        (
            ["--repetition-penalty", "1.1", "--penalty-scope", "64"],
            {"repetition_penalty": 1.1, "penalty_scope": 64},
        ),
        (
            ["--presence-penalty", "-1", "--penalty-scope", "prompt"],
            {"presence_penalty": -1.0, "penalty_scope": "prompt"},
        ),
        (
            ["--guidance-scale", "2", "--negative-prompt", "sad"],
            {"guidance_scale": 2.0, "negative_prompt": "sad"},
        ),
        (["--forced-bos-token-id", "3"], {"forced_bos_token_id": 3}),
        (
            ["--logprobs", "2", "--logprobs-stage", "raw,final"],
            {"logprobs": 2, "logprobs_stage": ("raw", "final")},
        ),
        (
            ["--renormalize-logits", "--remove-invalid-values", "--trace"],
            {"renormalize_logits": True, "remove_invalid_values": True, "trace": True},
        ),
        (["--greedy"], {"do_sample": False}),
        (["-n", "3", "--top-k", "5"], {"num_return_sequences": 3, "top_k": 5}),
    ],
)
def test_other_forms_reach_the_config(arguments, settings):
    found = GenerationConfig(**read(*arguments))
    assert found == GenerationConfig(**settings)
    for name, value in settings.items():
        assert getattr(found, name) == value


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--logit-bias", "the"], "'the' must be TOKEN=BIAS"),
        (["--logit-bias", "=1"], "'=1' must be TOKEN=BIAS"),
        (["--logit-bias", "a=b"], "'a=b' must be TOKEN=BIAS"),
        (["--logit-bias", "a=nan"], "logit_bias has the bias nan"),
        (["--sequence-bias", "1,2"], "must be ID[,ID...]=BIAS"),
        (["--stop-token-ids", "1,x"], "'1,x' must be ID[,ID...]"),
        (["--stop-token-ids", "-1"], "stop_token_ids=-1 is out of range"),
        (["--penalty-scope", "some"], "'some' must be prompt|output|all|N"),
        (["--penalty-scope", "all"], "penalty_scope='all' has no effect without"),
        (["--exponential-decay-length-penalty", "5"], "'5' must be START,FACTOR"),
        (["--repetition-detection", "yes"], "'yes' must be on|MAX,MIN,COUNT"),
        (["--repetition-detection", "1,2"], "'1,2' must be on|MAX,MIN,COUNT"),
        (["--repetition-detection", "1,2,3"], "min_pattern_size=2 is above"),
        (["--preset", "poem"], "'poem' is not one of 'code', 'creative'"),
        (["--dialect", "ollama"], "'ollama' is not one of 'transformers'"),
        (["--processors", "topk"], "processors has 'topk'"),
        (["--stop", ""], "none empty"),
        (["--prompt-logprobs", "1"], "--prompt-logprobs needs --json"),
        (["--trace"], "--trace needs --json"),
        (["--mirostat", "2", "--top-k", "5"], "top_k=5 contradicts mirostat=2"),
        (["-n", "2"], "num_return_sequences=2 contradicts greedy decoding"),
    ],
)
def test_mistakes_are_one_line_before_a_model_is_loaded(shell, arguments, message):
    asked = shell.model(toy_llm)
    result = shell.run("generate", "a", *arguments)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1
    assert asked == []


def test_help_has_the_usual_settings_first_under_headings(shell):
    shown = shell.run("generate", "--help").out
    places = [shown.index(f"  --{name.replace('_', '-')}") for name in USUAL]
    assert places == sorted(places)
    assert shown.index("\nUsual settings:\n") < places[0]
    headings = [line for line in shown.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings[0] == "Model, prompt and output:"
    assert "Repetition:" in headings
    assert places[-1] < shown.index("\nRepetition:\n")


def test_options_that_may_be_repeated_are_marked(shell):
    command = cli.get_command(click.Context(cli), "generate")
    options = [param for param in command.params if isinstance(param, click.Option)]
    marked = [option.name for option in options if "[repeatable]" in (option.help or "")]
    assert marked == [option.name for option in options if option.multiple]
    assert {"stop", "stop_regex", "dry_sequence_breakers"} <= {*marked}


def test_a_locale_that_is_not_utf8_is_named(monkeypatch, shell):
    monkeypatch.setattr("sys.getfilesystemencoding", lambda: "ascii")
    result = shell.run("next", "\udcc3\udca9")
    assert (result.code, result.out) == (2, "")
    assert "the locale's encoding is ascii and not UTF-8" in result.err
    monkeypatch.setattr("sys.getfilesystemencoding", lambda: "utf-8")
    assert "cannot be read: it is not UTF-8 text" in shell.run("next", "\udcff").err


def test_what_is_unlikely_to_be_meant_is_a_warning():
    with pytest.warns(SettingWarning) as caught:
        warn(GenerationConfig(temperature=5.0, top_k=500))
    assert [str(warning.message) for warning in caught] == [
        "temperature=5.0 is legal, but 0.1 to 2 is the useful range",
        "top_k=500 is legal, but 1 to 100 is the useful range",
    ]


@pytest.mark.parametrize("command", [["generate", "-q"], ["next"]])
def test_commands_warn_on_stderr(shell, command):
    shell.model(lambda: toy_llm(context_length=32))
    result = shell.run(*command, "the cat", "--temperature", "5", "--top-p", "0.9")
    assert result.code == 0
    assert result.err.startswith("foretell: warning: temperature=5.0 is legal, but")
    assert result.err.count("warning") == 1
    assert "warning" not in result.out


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (
            ["--max-tokens", "5"],
            "No such option '--max-tokens': here it is called",
        ),
        (["--max_tokens", "5"], "here it is called --max-new-tokens"),
        (["--n-predict", "5"], "here it is called --max-new-tokens"),
        (["--temp", "1"], "here it is called --temperature"),
        (["--repeat-penalty", "1"], "here it is called --repetition-penalty"),
        (["--ctx-size", "9"], "here it is called --context-length"),
        (["--n-ctx", "9"], "here it is called --context-length"),
        (["-t", "1"], "here it is called --threads"),
        (["-c", "9"], "here it is called --context-length"),
        (["-p", "x"], "the prompt is an argument of its own"),
        (["--stream"], "a text is printed as it is written"),
        (["--n-gpu-layers", "9"], "device='cuda' computes on torch"),
        (["-ngl", "9"], "No such option '-ngl': there are no GPU layers here"),
        (["-temp", "0.8"], "No such option '-temp': here it is called --temperature"),
        (["-seed", "7"], "No such option '-seed': here it is called --seed"),
        (["-top_k", "7"], "here it is called --top-k"),
        (["-fa"], "one attention runs everywhere"),
        (["--system", "be kind"], "foretell chat takes it, as --system"),
        (["--system-prompt", "be kind"], "foretell chat takes it, as --system"),
        (["--format", "json"], "here it is called --json"),
        (["--temprature", "1"], "did you mean --temperature?"),
        (["--xyzzy", "1"], "No such option '--xyzzy' (see"),
        (["--step"], "did you mean --stop?"),
        (["--jsn"], "did you mean --json?"),
    ],
)
def test_what_others_call_an_option_is_told(shell, arguments, hint):
    result = shell.run("generate", "a", *arguments)
    assert (result.code, result.out) == (2, "")
    assert hint in result.err
    assert result.err.count("\n") == 1


def test_an_option_that_is_alike_in_its_dashes_only_is_not_meant(shell):
    assert "No such option '--yaml' (see" in shell.run("chat", "--yaml").err


def test_options_may_be_spelled_as_in_python():
    assert read("--max_new_tokens", "5", "--top_p=0.5") == {"max_new_tokens": 5, "top_p": 0.5}
    assert read("--stop", "a_b")["stop"] == ("a_b",)
    assert read("--penalty_scope", "output", "--presence_penalty", "1")["penalty_scope"] == "output"


@pytest.mark.parametrize(
    ("word", "expected"),
    [("auto", "auto"), ("lookup", "lookup"), ("none", None), ("small", {"draft_model": "small"})],
)
def test_the_shell_names_a_draft_model_by_a_word_of_its_own(word, expected):
    @click.command()
    @with_options(*MODEL_OPTIONS)
    def command(model):
        assert model.settings == {"speculation": expected}

    result = CliRunner().invoke(command, ["--speculation", word], catch_exceptions=False)
    assert result.exit_code == 0
