"""Numbers, ids and prompts of torch."""

from __future__ import annotations

import pytest
import torch
from support.toy import toy_llm

from foretell import ConfigError, GenerationConfig


def test_torchs_numbers_are_numbers() -> None:
    config = GenerationConfig(
        temperature=torch.tensor(0.5),
        top_k=torch.tensor([7]),
        top_p=torch.tensor(0.5, dtype=torch.bfloat16),
        do_sample=torch.tensor(True),
        stop_token_ids=torch.tensor([1, 2]),
        bad_words_ids=[torch.tensor([1, 2]), [torch.tensor(3)]],
    )
    assert config == GenerationConfig(
        temperature=0.5,
        top_k=7,
        top_p=0.5,
        do_sample=True,
        stop_token_ids=(1, 2),
        bad_words_ids=((1, 2), (3,)),
    )
    assert type(config.top_k) is int
    with pytest.raises(ConfigError, match=r"top_k=.* must be an integer"):
        GenerationConfig(top_k=torch.tensor([1, 2]))


def test_prompts_may_be_tensors() -> None:
    with toy_llm() as llm:
        ids = llm.tokenizer.encode("the cat")
        expected = llm.generate(ids, max_new_tokens=3).token_ids
        assert llm.generate(torch.tensor(ids), max_new_tokens=3).token_ids == expected
        assert llm.generate([*torch.tensor(ids)], max_new_tokens=3).token_ids == expected
        (row,) = llm.generate(torch.tensor([ids]), max_new_tokens=3)
        assert row.token_ids == expected
