"""Outputs as Python shows them: short, and with the settings that were stated."""

from __future__ import annotations

import pytest
from support.toy import toy_llm

from foretell import GenerationConfig
from foretell.outputs import SearchUsage, Usage


def test_a_config_shows_what_was_stated() -> None:
    assert repr(GenerationConfig()) == "GenerationConfig()"
    config = GenerationConfig(temperature=0.8, top_k=50, seed=4, do_sample=None)
    assert repr(config) == "GenerationConfig(temperature=0.8, top_k=50, seed=4)"
    assert eval(repr(config), {"GenerationConfig": GenerationConfig}) == config
    assert repr(GenerationConfig(preset="chat")) == "GenerationConfig(preset='chat')"


@pytest.mark.parametrize("name", ["generate", "score", "next", "explain", "beams", "compare"])
def test_views_of_a_long_text_have_a_short_repr(name: str) -> None:
    prompt = "the cat " * 30
    settings = {} if name in ("score", "next") else {"max_new_tokens": 100}
    if name == "generate":
        settings |= {"logprobs": 5, "temperature": 0.5, "seed": 1, "trace": True}
    with toy_llm(num_blocks=200) as llm:
        view = getattr(llm, name)(prompt, **settings)
    assert repr(view).startswith(f"{type(view).__name__}(")
    assert len(repr(view)) < 1000  # bytes of random text take four characters each
    assert "None" not in repr(view)


def test_an_output_tells_its_text_first() -> None:
    with toy_llm(num_blocks=200) as llm:
        output = llm.generate("the cat", max_new_tokens=2, temperature=0.5, seed=1)
        chunk = next(llm.stream("the cat", max_new_tokens=2))
    assert repr(output).startswith(f"GenerationOutput(text={output.text!r}, token_ids=")
    assert "config=GenerationConfig(temperature=0.5, max_new_tokens=2, seed=1)" in repr(output)
    assert repr(chunk) == f"Chunk(text={chunk.text!r}, token_ids={chunk.token_ids})"


def test_the_speed_of_a_search_is_that_of_the_whole_time() -> None:
    with toy_llm(num_blocks=200) as llm:
        outputs = llm.generate("a", num_beams=4, num_return_sequences=2, max_new_tokens=9)
        sampled = llm.generate("a", max_new_tokens=9)
    assert [type(output.usage) for output in outputs] == [SearchUsage] * 2
    assert type(sampled.usage) is Usage
    # 40 tokens were found in 2 seconds, and became certain within a millisecond
    usage = SearchUsage(1, 40, time_to_first_token=1.999, decode_seconds=0.001)
    assert usage.tokens_per_second == pytest.approx(20)
    assert Usage(1, 41, 1.0, 2.0).tokens_per_second == 20
