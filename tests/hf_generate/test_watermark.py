"""Watermarks through the drop-in: transformers' own texts, and its own configs."""

from __future__ import annotations

import pytest
import torch
from transformers import SynthIDTextWatermarkingConfig
from transformers.generation.configuration_utils import WatermarkingConfig

import benchmarks.oracles.contrasts as oracle
from foretell.errors import ConfigError
from foretell.hf_generate import generate

IDS = torch.tensor([[5, 6, 7, 8]])
MARKS = [{"bias": 2.5}, {"bias": 4.0, "seeding_scheme": "selfhash", "context_width": 2}]


@pytest.mark.parametrize("mark", MARKS)
def test_texts_are_those_of_transformers(mark):
    model = oracle.numbered_model("llama")
    wishes = {"max_new_tokens": 12, "do_sample": False, "pad_token_id": 1}
    plain = generate(model, IDS, **wishes)
    for config in (WatermarkingConfig(**mark), mark):
        theirs = model.generate(IDS, watermarking_config=config, **wishes)
        found = generate(model, IDS, watermarking_config=config, **wishes)
        assert found.tolist() == theirs.tolist() != plain.tolist()


def test_another_kind_of_mark_is_refused():
    config = SynthIDTextWatermarkingConfig(ngram_len=5, keys=[1, 2])
    with pytest.raises(ConfigError, match=r"watermarking_config=.* must be a WatermarkingConfig"):
        generate(oracle.numbered_model("llama"), IDS, max_new_tokens=2, watermarking_config=config)
