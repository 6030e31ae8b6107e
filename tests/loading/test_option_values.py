"""Arguments of `LLM` of every kind of value: kept in Python's own types, or refused in a line."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from support.toy import toy_llm, toy_tokenizer

from foretell import LLM, ConfigError
from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.engine.settings import EngineSettings
from foretell.loading.options import NAMES_OF_TORCH, OPTIONS, ModelOptions


class LongRepr:
    def __repr__(self) -> str:
        return "\x1b[31m\n" * 5000


class NoRepr:
    def __repr__(self) -> str:
        raise RuntimeError


WRONG = [
    *("7" * 5000, "\x1b[31m", b"\xff" * 900, 10**400, -(10**5000), Fraction(10**400), [], {}),
    *(np.array([1, 2]), LongRepr(), [LongRepr()], NoRepr(), object(), float("nan")),
]


@pytest.mark.parametrize("index", range(len(WRONG)))
@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in NAMES_OF_TORCH])
def test_what_no_option_can_be_is_refused_in_a_line(name: str, index: int) -> None:
    of_none = {"adapters": (list, dict), "prefixes": (list,)}.get(name, ())
    if type(WRONG[index]) in of_none and not WRONG[index]:
        assert ModelOptions(**{name: WRONG[index]}) == ModelOptions()
        return
    with pytest.raises(ConfigError, match=f"^{name}=") as caught:
        ModelOptions(**{name: WRONG[index]})
    assert len(str(caught.value)) < 350
    assert str(caught.value).isprintable()


SIZES = ("max_batch_tokens", "max_running", "max_waiting")


@pytest.mark.parametrize("index", range(len(WRONG)))
@pytest.mark.parametrize("name", [*SIZES, "prefix_caching"])
def test_what_no_engine_can_be_told_is_refused_in_a_line(name: str, index: int) -> None:
    if isinstance(WRONG[index], int) and WRONG[index] > 0 and name in SIZES:
        assert getattr(EngineSettings(**{name: WRONG[index]}), name) == 2**63 - 1
        return
    with pytest.raises(ConfigError, match=f"^{name}=") as caught:
        EngineSettings(**{name: WRONG[index]})
    assert len(str(caught.value)) < 350
    assert str(caught.value).isprintable()


def test_numpys_numbers_are_numbers() -> None:
    options = ModelOptions(threads=np.int64(2), kv_share=np.float64(0.5), quantize=np.str_("q8"))
    assert (options.threads, options.kv_share, options.quantize) == (2, 0.5, "q8")
    assert {*map(type, (options.threads, options.kv_share, options.quantize))} == {int, float, str}
    settings = EngineSettings(np.int64(64), np.int32(8), np.array(3), np.bool_(False))
    assert settings == EngineSettings(64, 8, 3, False)
    assert type(settings.max_running) is int
    backend = ScriptedBackend(improvise(300), vocab_size=300)
    given: dict[str, Any] = {"max_running": np.int64(2), "max_batch_tokens": np.int64(64)}
    with LLM(backend, tokenizer=toy_tokenizer(), **given) as llm:
        assert llm.generate([1, 2], max_new_tokens=1).token_ids


@pytest.mark.parametrize("tokenizer", [3, "gpt2", [], object()])
def test_what_is_no_tokenizer_is_refused(tokenizer):
    with pytest.raises(ConfigError, match=r"tokenizer=.* must be a Tokenizer of foretell"):
        LLM(toy_llm().backend, tokenizer=tokenizer)
