"""The options of a model: one list, and all that show it."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import click
import pytest
from support.toy import toy_llm, toy_tokenizer

from foretell import LLM, AsyncLLM
from foretell.backends.native.backend import NativeBackend
from foretell.cli.options import MODEL_OPTIONS, with_options
from foretell.engine.settings import EngineSettings
from foretell.errors import ConfigError
from foretell.loading.load import LoadedModel
from foretell.loading.options import OPTIONS, ModelOptions

DEFAULTS = {field.name: field.default for field in dataclasses.fields(ModelOptions)}
ENGINE_DEFAULTS = {field.name: field.default for field in dataclasses.fields(EngineSettings)}
OTHERS: dict[str, Any] = {  # another value for each
    "revision": "v1", "backend": "native", "quantize": "q4", "device": "cpu", "dtype": "float32",
    "threads": 3, "activations": "float32", "context_length": 77, "kv_dtype": "float32",
    "num_blocks": 12, "kv_share": 0.25, "speculation": "lookup", "adapters": "pirate",
    "prefixes": "manual.prefix",
}  # fmt: skip


def keywords(function: Any) -> dict[str, Any]:
    """The keyword-only arguments of a function, and their defaults."""
    found = inspect.signature(function).parameters.values()
    return {one.name: one.default for one in found if one.kind is one.KEYWORD_ONLY}


def test_an_llm_takes_each_option_and_each_setting_of_the_engine() -> None:
    assert keywords(LLM) == {"tokenizer": None, **DEFAULTS, **ENGINE_DEFAULTS}


@pytest.mark.parametrize("name", DEFAULTS)
def test_each_option_reaches_the_loader(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[ModelOptions] = []
    backend = toy_llm().backend

    def load(model: object, tokenizer: object, options: ModelOptions) -> LoadedModel:
        seen.append(options)
        return LoadedModel(backend, toy_tokenizer())

    monkeypatch.setattr("foretell.llm.load_model", load)
    monkeypatch.setattr(LLM, "_load_prefixes", lambda llm, paths: None)
    assert OTHERS[name] != DEFAULTS[name]
    LLM("model", **{name: OTHERS[name]})
    AsyncLLM("model", **{name: OTHERS[name]})._load()
    assert seen == [ModelOptions(**{name: OTHERS[name]})] * 2


def test_an_async_llm_knows_no_other_option() -> None:
    with pytest.raises(TypeError, match="magic"):
        AsyncLLM("model", magic=True)


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_shell_offers_each_option_that_is_described(name: str) -> None:
    @click.command()
    @with_options(*MODEL_OPTIONS)
    def command(model: Any) -> None:
        click.echo(model.settings)

    shown = {str(one.name): one for one in command.params if isinstance(one, click.Option)}
    option = OPTIONS[name]
    assert list(shown) == ["model", *(n for n in OPTIONS if OPTIONS[n].description is not None)]
    if option.description is None:
        return
    assert shown[name].help == option.description
    assert command.make_context("x", []).params[name] is None  # `LLM` has the defaults
    flag = option.flag or f"--{name.replace('_', '-')}"
    context = command.make_context("x", [flag, str(OTHERS[name])])
    expected = (OTHERS[name],) if option.flag else OTHERS[name]  # such may be given several times
    assert context.params[name] == expected
    assert type(context.params[name]) is type(expected)


@pytest.mark.parametrize(
    "backend", ["native", pytest.param("transformers", marks=pytest.mark.torch)]
)
def test_a_backend_takes_the_options_that_it_is_said_to_heed(backend: str) -> None:
    stated = {name for name, option in OPTIONS.items() if backend in option.backends}
    if backend == "native":
        taken = keywords(NativeBackend.load)
        assert {name: taken.get(name, "missing") for name in stated} == {
            name: DEFAULTS[name] for name in stated
        }
        assert set(taken) - stated == {"block_size", "on_packed"}
        return
    from foretell.backends.transformers.backend import TransformersBackend

    taken = {**keywords(TransformersBackend.load), **keywords(TransformersBackend)}
    assert stated <= set(taken)
    assert set(taken) - stated == {"revision", "block_size", "max_batch_tokens"}


def test_options_know_what_was_stated_and_who_heeds_it() -> None:
    options = ModelOptions(backend="native", revision="v1", threads=2, device="cpu", num_blocks=9)
    assert options.stated == {"device": "cpu", "threads": 2, "num_blocks": 9}
    assert options.not_of("native") == {"device": "cpu"}
    assert options.not_of("transformers") == {"threads": 2}
    assert ModelOptions().stated == {}
    with pytest.raises(ConfigError, match="backend='magic' must be one of 'auto', 'native'"):
        ModelOptions(backend="magic")  # type: ignore[arg-type]
