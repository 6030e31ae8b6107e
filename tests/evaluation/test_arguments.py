"""What is no open model, and no text, is refused in a sentence, before any work."""

from __future__ import annotations

import pytest
from support.toy import toy_llm

from foretell import ConfigError
from foretell.evaluation import kl_divergence, perplexity, quality


def test_a_name_is_no_open_model() -> None:
    with pytest.raises(
        ConfigError, match=r"^llm='smol' must be an open model, an LLM: LLM\('smol'\)"
    ):
        perplexity("smol", "text")
    with pytest.raises(ConfigError, match=r"^model='a' must be an open model"):
        kl_divergence("a", "b", "c")
    with pytest.raises(ConfigError, match=r"^reference='a' must be an open model"):
        quality("a", ["b"], "c")
    with toy_llm() as llm, pytest.raises(ConfigError, match=r"^reference=5 must be .*LLM\(name or"):
        kl_divergence(llm, 5, "c")


@pytest.mark.parametrize("text", [None, b"bytes", ["a", "b"]])
def test_what_is_no_text_is_refused(text: object) -> None:
    with toy_llm() as llm:
        for evaluate in (lambda: perplexity(llm, text), lambda: kl_divergence(llm, llm, text)):
            with pytest.raises(ConfigError, match=r"^text=.* must be a text"):
                evaluate()


def test_one_name_is_no_list_of_models() -> None:
    with toy_llm() as llm, pytest.raises(ConfigError, match="must be a list of names"):
        quality(llm, "model.gguf", "text")


@pytest.mark.parametrize("wrong", [{"window": 0}, {"max_windows": -1}])
def test_a_count_without_a_bound_names_none(wrong: dict[str, int]) -> None:
    with toy_llm() as llm, pytest.raises(ConfigError, match=r"must be an integer ≥ \d \("):
        perplexity(llm, "text", **wrong)
