"""Both backends hold texts to a form; their vocabularies are those of real tokenizers."""

from __future__ import annotations

import pytest
from support.hf_models import letters, tiny_gpt2

from foretell import LLM


@pytest.mark.parametrize(
    "settings",
    [{}, {"temperature": 2.0, "seed": 1}, {"num_beams": 3}, {"guidance_scale": 2.0}],
)
def test_a_model_of_transformers(settings):
    with LLM(tiny_gpt2(), tokenizer=letters()) as llm:
        output = llm.generate("abc", choices=["ab", "ba", "b"], max_new_tokens=9, **settings)
        assert output.text in {"ab", "ba", "b"}, output
        assert output.complete
