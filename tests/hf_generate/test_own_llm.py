"""transformers' processors and criteria in the settings of foretell's own `LLM.generate`."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.toy import EOS, toy_llm
from transformers import (
    EosTokenCriteria,
    LogitsProcessor,
    LogitsProcessorList,
    MaxLengthCriteria,
    RepetitionPenaltyLogitsProcessor,
    StoppingCriteriaList,
    SuppressTokensLogitsProcessor,
)

SETTINGS: dict[str, Any] = {"max_new_tokens": 8, "ignore_eos": True}


@pytest.mark.parametrize(
    ("processors", "settings"),
    [
        (RepetitionPenaltyLogitsProcessor(0.1), {"repetition_penalty": 0.1}),
        (
            [SuppressTokensLogitsProcessor([*range(200)])],
            {"suppress_tokens": [*range(200)]},
        ),
        (
            LogitsProcessorList(
                [
                    SuppressTokensLogitsProcessor([*range(200)]),
                    RepetitionPenaltyLogitsProcessor(0.5),
                ]
            ),
            {"suppress_tokens": [*range(200)], "repetition_penalty": 0.5},
        ),
    ],
    ids=["one", "a list", "a LogitsProcessorList"],
)
@pytest.mark.filterwarnings("ignore::foretell.SettingWarning")
@pytest.mark.parametrize("draws", [{}, {"temperature": 1.2, "seed": 3}, {"num_beams": 3}])
def test_a_processor_does_what_the_setting_does(processors: Any, settings: Any, draws: Any):
    with toy_llm() as llm:
        found = llm.generate("the cat", logits_processor=processors, **SETTINGS, **draws)
        assert found.token_ids == llm.generate("the cat", **settings, **SETTINGS, **draws).token_ids
        assert found.token_ids != llm.generate("the cat", **SETTINGS, **draws).token_ids


class Named(LogitsProcessor):
    """Told by its class, whatever its arguments are called."""

    def __call__(self, tokens: Any, values: Any) -> Any:
        assert (tokens.ndim, values.ndim) == (2, 2)
        changed = values.clone()
        changed[:, 7] = 99.0
        return changed.to(torch.bfloat16).requires_grad_()


def test_a_processor_is_told_by_its_class():
    with toy_llm() as llm:
        out = llm.generate("a", logits_processor=Named(), max_new_tokens=3)
    assert out.token_ids == [7, 7, 7]


@pytest.mark.parametrize("draws", [{}, {"num_beams": 2}])
def test_criteria_end_a_text(draws: Any):
    with toy_llm() as llm:
        num_prompt = len(llm.tokenizer.encode("the cat"))
        plain = llm.generate("the cat", **SETTINGS, **draws)
        for criteria in (
            MaxLengthCriteria(num_prompt + 5),
            StoppingCriteriaList([EosTokenCriteria(EOS), MaxLengthCriteria(num_prompt + 5)]),
            lambda input_ids, scores: input_ids.shape[1] == num_prompt + 5,
        ):
            out = llm.generate("the cat", stopping_criteria=criteria, **SETTINGS, **draws)
            assert out.stop_reason is not None
            assert (out.stop_reason.kind, len(out.token_ids)) == ("criteria", 5)
            assert draws or out.token_ids == plain.token_ids[:5]
