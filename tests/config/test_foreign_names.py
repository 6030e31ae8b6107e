"""Names of other systems: what is said of them is true, and the same wherever they are met."""

from __future__ import annotations

import inspect
import pickle

import pytest
from support.toy import toy_llm

from foretell import LLM, AsyncLLM, ConfigError, GenerationConfig, UnknownNameError
from foretell.config.foreign_names import NOTES, OPTION_ALIASES, hint, known_as, plain_name
from foretell.config.settings import ALIASES, SETTINGS

LLM_ARGUMENTS = tuple(inspect.signature(LLM).parameters)

SETTING_HINTS = {
    "n_predict": "here it is called 'max_new_tokens'",
    "num_predict": "here it is called 'max_new_tokens'",
    "max_tokens": "here it is called 'max_new_tokens'",
    "maxTokens": "here it is called 'max_new_tokens'",
    "temp": "here it is called 'temperature'",
    "topK": "here it is called 'top_k'",
    "top-p": "here it is called 'top_p'",
    "repeat_penalty": "here it is called 'repetition_penalty'",
    "n": "here it is called 'num_return_sequences'",
    "random_seed": "here it is called 'seed'",
    "stop_sequences": "here it is called 'stop'",
    "stopping": "here it is called 'stop'",
    "beam_width": "here it is called 'num_beams'",
    "best_of": "set num_return_sequences and logprobs, and take the likeliest output",
    "streamer": "call stream(), which yields the text as it is written",
    "stream": "call stream(), which yields the text as it is written",
    "messages": "chat() takes them",
    "output_attentions": "what happens inside the model is not told",
    "bos_token_id": "the tokenizer begins a prompt with it",
    "detokenize": "an output has its text always",
    "encoder_repetition_penalty": "for x, set repetition_penalty=1/x and penalty_scope='prompt'",
    "truncate_prompt_tokens": "a prompt is never cut",
    "top_a": "top-a sampling is not supported",
    "n_ctx": "LLM(...) takes it, as 'context_length'",
    "model_path": "LLM(...) takes it, as 'model'",
    "threads": "LLM(...) takes it",
    "top_kk": "did you mean 'top_k'?",
    "xyzzy": "`foretell guide` lists all",
}
OPTION_HINTS = {
    "n_ctx": "here it is called 'context_length'",
    "num_ctx": "here it is called 'context_length'",
    "max_model_len": "here it is called 'context_length'",
    "model_path": "here it is called 'model'",
    "torch_dtype": "here it is called 'dtype'",
    "device_map": "here it is called 'device'",
    "gpu_memory_utilization": "here it is called 'kv_share'",
    "n_threads": "here it is called 'threads'",
    "load_in_8bit": "here it is quantize='q8'",
    "n_gpu_layers": "foretell's own kernels run on a CPU",
    "tensor_parallel_size": "one process runs the model",
    "trust_remote_code": "code that comes with a model is never run",
    "max_tokens": "generate() takes it, as 'max_new_tokens'",
    "temperature": "generate() takes it",
    "stream": "call stream(), which yields the text as it is written",
    "thread": "did you mean 'threads'?",
    "xyzzy": "there are model, tokenizer, backend, ",
}


@pytest.mark.parametrize("name", SETTING_HINTS)
def test_a_setting_of_another_system_gets_its_hint(name):
    for ask in (
        lambda: GenerationConfig(**{name: 1}),
        lambda: GenerationConfig().override(**{name: 1}),
        lambda: toy_llm().generate("the", **{name: 1}),
    ):
        with pytest.raises(UnknownNameError) as caught:
            ask()
        assert f"unknown setting {name!r}: {SETTING_HINTS[name]}" in str(caught.value)


@pytest.mark.parametrize("name", OPTION_HINTS)
def test_an_argument_of_another_system_gets_its_hint(name):
    for make in (LLM, AsyncLLM):
        with pytest.raises(UnknownNameError) as caught:
            make(**{name: 1})
        assert f"unknown argument {name!r}: " in str(caught.value)
        assert OPTION_HINTS[name] in str(caught.value)


def test_the_error_is_python_s_own_as_well():
    assert issubclass(UnknownNameError, (ConfigError, TypeError))
    with pytest.raises(TypeError):
        LLM(n_ctx=512)
    with pytest.raises(ConfigError):
        LLM(n_ctx=512)


def test_the_table_names_what_there_is():
    assert {*OPTION_ALIASES.values()} <= {*LLM_ARGUMENTS}
    assert {*ALIASES.values()} <= {*SETTINGS}
    tables = ({*NOTES}, {*OPTION_ALIASES}, {*ALIASES}, {*SETTINGS} | {*LLM_ARGUMENTS})
    assert sum(map(len, tables)) == len(set.union(*tables)), "a name stands in one table alone"
    for name in set.union(*tables):
        assert plain_name(name) == name


def test_no_alias_stands_twice():
    rows = [alias for row in SETTINGS.values() for alias in row.aliases]
    assert len(rows) == len({*rows})


def test_hints_are_short_sentences():
    for name, note in NOTES.items():
        assert len(note) < 100
        assert note[-1] not in ".!", name


def test_a_command_line_may_know_both():
    known = [*SETTINGS, *LLM_ARGUMENTS]
    assert known_as("--n-ctx", known) == "context_length"
    assert known_as("--temp", known) == "temperature"
    assert known_as("--top_p", known) == "top_p"
    assert known_as("--xyzzy", known) is None
    assert hint("--xyzzy", known, "see --help") == "see --help"


def test_names_do_not_spoil_what_a_config_is():
    config = GenerationConfig(top_k=5)
    assert pickle.loads(pickle.dumps(config)) == config
    assert "top_k" in inspect.signature(GenerationConfig).parameters
    assert "n_ctx" not in inspect.signature(LLM).parameters
    assert inspect.signature(LLM).parameters["threads"].default is None


@pytest.mark.parametrize("name", ["x" * 5000, "a\nb\x1b[31m"])
def test_a_name_is_quoted_in_one_short_line(name):
    with pytest.raises(UnknownNameError) as caught:
        GenerationConfig(**{name: 1})
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()
