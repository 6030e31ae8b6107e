"""Searches that transformers no longer has, through the drop-in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import benchmarks.oracles.contrasts as oracle
from foretell.errors import ConfigError
from foretell.hf_generate import generate

GOLDEN = Path(__file__).parent.parent / "decoding" / "golden" / "contrasts.json"
CASES = json.loads(GOLDEN.read_text())["cases"]
IDS = torch.tensor([oracle.PROMPTS[2]])


@pytest.fixture(scope="module")
def llama():
    return oracle.numbered_model("llama")


@pytest.mark.parametrize("case", [one for one in CASES if one["model"] == "llama"][::4])
def test_texts_are_those_of_transformers(llama, case):
    settings = {name: case[name] for name in case if name not in ("model", "texts")}
    found = generate(llama, IDS, max_new_tokens=oracle.NEW_TOKENS, do_sample=False, **settings)
    assert found[0, IDS.shape[1] :].tolist() == case["texts"][2]


def test_an_alpha_is_idle_where_tokens_are_drawn(llama):
    with pytest.warns(UserWarning, match="penalty_alpha=0.6 has no effect without do_sample=False"):
        generate(llama, IDS, max_new_tokens=2, do_sample=True, penalty_alpha=0.6, top_k=4)


def test_scores_beside_a_search_are_refused(llama):
    with pytest.raises(ConfigError, match="output_scores=True cannot be honoured beside dola"):
        generate(
            llama,
            IDS,
            max_new_tokens=2,
            dola_layers="low",
            return_dict_in_generate=True,
            output_scores=True,
        )


def test_a_criterion_ends_a_contrastive_search(llama):
    wishes = {"max_new_tokens": 8, "penalty_alpha": 0.6, "top_k": 4}
    whole = generate(llama, IDS, **wishes)

    def three(input_ids, scores):
        return input_ids.shape[1] >= IDS.shape[1] + 3

    cut = generate(llama, IDS, **wishes, stopping_criteria=[three], pad_token_id=1)
    assert cut.tolist() == whole[:, : IDS.shape[1] + 3].tolist()
