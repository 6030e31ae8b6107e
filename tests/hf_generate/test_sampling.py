"""Sampling: the distributions that transformers' `generate` draws from, and repeatable draws."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from support.hf_models import EOS

from foretell import LLM, ConfigError, generate

NUM_DRAWS = 1000
CASES: list[dict[str, Any]] = [
    {},
    {"temperature": 0.6, "top_k": 5},
    {"temperature": 1.4, "top_p": 0.7, "top_k": 0},
    {"min_p": 0.1, "repetition_penalty": 1.5},
    {"typical_p": 0.6},
    {"epsilon_cutoff": 0.05, "temperature": 1.2},
    {"eta_cutoff": 0.1, "renormalize_logits": True},
    {"top_h": 0.5},
    {"guidance_scale": 1.8, "top_k": 8},
    {"top_k": 12, "suppress_tokens": [3, 5, 7], "no_repeat_ngram_size": 1},
]


def chi_square(counts: dict[int, int], probabilities: np.ndarray) -> float:
    """The statistic over tokens, those with little expected put together; per degree of freedom."""
    expected = probabilities * sum(counts.values())
    observed = np.array([counts.get(token, 0) for token in range(len(expected))])
    assert observed[expected == 0].sum() == 0
    common = expected >= 5
    pairs = [*zip(observed[common], expected[common], strict=True)]
    rest = observed[~common].sum(), expected[~common].sum()
    if rest[1] > 1:
        pairs.append(rest)
    freedom = max(1, len(pairs) - 1)
    statistic = sum((seen - mean) ** 2 / mean for seen, mean in pairs)
    return float((statistic - freedom) / np.sqrt(2 * freedom))


def exact(model: Any, ids: torch.Tensor, settings: dict[str, Any]) -> np.ndarray:
    """P(next token) as transformers computes it."""
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=True,
        max_new_tokens=1,
        return_dict_in_generate=True,
        output_scores=True,
        **settings,
    )
    return torch.softmax(out.scores[0][0].double(), dim=-1).numpy()


@pytest.mark.parametrize("settings", CASES, ids=str)
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_draws_follow_the_distribution_of_transformers(
    name: str, settings: dict[str, Any], request: pytest.FixtureRequest
):
    model = request.getfixturevalue(name)
    ids = torch.tensor([[3, 9, 4, 17]])
    drawn = generate(
        model,
        ids,
        do_sample=True,
        seed=11,
        max_new_tokens=2,
        num_return_sequences=NUM_DRAWS,
        **settings,
    ).tolist()
    first = Counter(row[4] for row in drawn)
    assert chi_square(first, exact(model, ids, settings)) < 4
    token = next(token for token, _ in first.most_common() if token != EOS)
    second = Counter(row[5] for row in drawn if row[4] == token)
    if "guidance_scale" not in settings:  # transformers would start anew from another last token
        longer = torch.tensor([[3, 9, 4, 17, token]])
        assert chi_square(second, exact(model, longer, settings)) < 4


def test_rows_and_seeds_draw_independently(llama: Any):
    ids = torch.tensor([[3, 9, 4, 17]] * 2)
    probabilities = exact(llama, ids[:1], {})
    seen: Counter[tuple[int, int]] = Counter()
    for seed in range(150):
        rows = generate(llama, ids, do_sample=True, seed=seed, max_new_tokens=1)[:, -1].tolist()
        seen[rows[0], rows[1]] += 1
    equal = sum(count for pair, count in seen.items() if pair[0] == pair[1]) / 150
    chance = float((probabilities**2).sum())
    assert abs(equal - chance) < 5 * np.sqrt(chance * (1 - chance) / 150)
    both = Counter(token for pair in seen.elements() for token in pair)
    assert chi_square(both, probabilities) < 4


def test_beams_that_draw_keep_to_what_is_possible(gpt2: Any):
    ids = torch.tensor([[3, 9], [4, 17]])
    settings = {"num_beams": 3, "do_sample": True, "top_k": 4, "max_new_tokens": 6, "seed": 3}
    found = generate(gpt2, ids, num_return_sequences=2, **settings)
    assert found.shape[0] == 4
    assert torch.equal(found, generate(gpt2, ids, num_return_sequences=2, **settings))
    others = [generate(gpt2, ids, **{**settings, "seed": seed}) for seed in range(4)]
    assert len({str(one.tolist()) for one in others}) > 1


@pytest.mark.parametrize("eos", [7, [7, 8, 9], None], ids=str)
@pytest.mark.parametrize(
    "settings",
    [
        {"epsilon_cutoff": 0.9},
        {"eta_cutoff": 0.9, "temperature": 0.5},
        {"top_k": 1},
        {"top_p": 0.01},
        {"min_p": 0.99},
        {"typical_p": 0.01},
        {"top_h": 0.99},
        {"top_h": 0.99, "epsilon_cutoff": 0.5},
        {"top_k": 3, "epsilon_cutoff": 0.5, "eta_cutoff": 0.5},
    ],
    ids=str,
)
def test_beams_that_draw_keep_as_many_candidates_as_in_transformers(
    gpt2: Any, settings: dict[str, Any], eos: Any
):
    settings = {"top_k": 0, **settings, "num_beams": 2, "do_sample": True, "eos_token_id": eos}
    kept = {"return_dict_in_generate": True, "output_scores": True, "max_new_tokens": 1}
    ids = torch.tensor([[3, 4, 5]])
    theirs = gpt2.generate(ids, pad_token_id=0, **settings, **kept).scores[0][0]
    ours = generate(gpt2, ids, pad_token_id=0, seed=1, **settings, **kept).scores[0][0]
    assert torch.equal(ours > -torch.inf, theirs > -torch.inf)
    torch.testing.assert_close(ours, theirs)


def test_a_seed_repeats_the_draws_and_torch_gives_one(llama: Any):
    ids = torch.tensor([[3, 9, 4, 17]])
    settings = {"do_sample": True, "max_new_tokens": 12, "temperature": 1.5}
    one = generate(llama, ids, seed=5, **settings)
    assert torch.equal(one, generate(llama, ids, seed=5, **settings))
    assert not torch.equal(one, generate(llama, ids, seed=6, **settings))
    torch.manual_seed(7)
    first, second = generate(llama, ids, **settings), generate(llama, ids, **settings)
    torch.manual_seed(7)
    assert torch.equal(first, generate(llama, ids, **settings))
    assert not torch.equal(first, second)


def test_the_first_row_draws_as_an_llm_with_that_seed(llama: Any):
    from support.toy import toy_tokenizer

    from foretell.backends.transformers.backend import TransformersBackend

    llm = LLM(TransformersBackend(llama), tokenizer=toy_tokenizer())
    ids, settings = [[3, 9, 4, 17]], {"do_sample": True, "max_new_tokens": 8}
    found = generate(llama, ids, seed=5, eos_token_id=None, **settings)
    alone = llm.generate(ids[0], seed=5, top_k=50, ignore_eos=True, **settings)
    assert found[0][4:] == alone.token_ids


@pytest.mark.parametrize("seed", [-1, 1.5, "7"])
def test_a_seed_out_of_range_is_refused(llama: Any, seed: Any):
    with pytest.raises(ConfigError, match="seed="):
        generate(llama, [[3]], do_sample=True, seed=seed, max_new_tokens=2)
