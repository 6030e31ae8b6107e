"""Users' functions in transformers' shape: processors, criteria, allowed prefixes, stop strings."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from support.hf_models import letters, tiny_llama
from support.toy import EOS as TOY_EOS
from support.toy import reciting_llm, toy_llm
from transformers import (
    EosTokenCriteria,
    LogitsProcessor,
    LogitsProcessorList,
    MaxLengthCriteria,
    MaxTimeCriteria,
    MinLengthLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    StoppingCriteria,
    StoppingCriteriaList,
    SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
)
from transformers.generation import UnbatchedClassifierFreeGuidanceLogitsProcessor

from foretell import ConfigError, generate

IDS = torch.tensor([[2, 3, 4, 5], [6, 7, 8, 9]])
MASK = torch.tensor([[0, 1, 1, 1], [1, 1, 1, 1]])
GIVEN: dict[str, Any] = {"attention_mask": MASK, "max_new_tokens": 6}


class Favour(LogitsProcessor):
    """Adds to the token after the row's last, and keeps what it was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[int], tuple[int, ...], Any]] = []

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> Any:
        assert input_ids.dtype == torch.int64
        assert scores.dtype == torch.float32
        for row in input_ids:
            self.calls.append((row.tolist(), tuple(scores.shape[1:]), scores.device))
        changed = scores.clone()
        changed[torch.arange(len(scores)), (input_ids[:, -1] + 1) % scores.shape[1]] += 2.0
        return changed


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_logits_processor_is_called_as_by_transformers(gpt2: Any, num_beams: int):
    theirs, ours = Favour(), Favour()
    settings = {**GIVEN, "num_beams": num_beams, "repetition_penalty": 1.3, "eos_token_id": None}
    expected = gpt2.generate(IDS, logits_processor=LogitsProcessorList([theirs]), **settings)
    found = generate(gpt2, IDS, logits_processor=LogitsProcessorList([ours]), **settings)
    assert torch.equal(found, expected)
    assert {str(call) for call in ours.calls} == {str(call) for call in theirs.calls}


@pytest.mark.parametrize(
    ("processor", "settings"),
    [
        (NoRepeatNGramLogitsProcessor(1), {}),
        (NoRepeatNGramLogitsProcessor(1), {"no_repeat_ngram_size": 3}),
        (
            RepetitionPenaltyLogitsProcessor(3.0),
            {"repetition_penalty": 1.1, "suppress_tokens": [3]},
        ),
        (SuppressTokensLogitsProcessor([3, 9, 12]), {"begin_suppress_tokens": [5]}),
        (MinLengthLogitsProcessor(9, 1), {}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_processor_of_a_known_kind_takes_the_place_of_the_setting(
    gpt2: Any, processor: Any, settings: dict[str, Any]
):
    ids = torch.tensor([[3, 4, 5], [6, 7, 8]])
    settings |= {"max_new_tokens": 8, "logits_processor": LogitsProcessorList([processor])}
    for num_beams in (1, 2):
        settings["num_beams"] = num_beams
        assert torch.equal(generate(gpt2, ids, **settings), gpt2.generate(ids, **settings))


def test_warpers_given_as_processors_replace_the_defaults(gpt2: Any):
    processors = LogitsProcessorList([TopKLogitsWarper(1), TemperatureLogitsWarper(5.0)])
    settings = {"do_sample": True, "max_new_tokens": 8, "logits_processor": processors}
    ids = torch.tensor([[3, 4, 5]])
    greedy = gpt2.generate(ids, max_new_tokens=8)
    assert torch.equal(gpt2.generate(ids, **settings), greedy)
    assert torch.equal(generate(gpt2, ids, seed=1, **settings), greedy)


def test_processors_that_cannot_be_honoured_are_refused(gpt2: Any):
    guidance = UnbatchedClassifierFreeGuidanceLogitsProcessor(1.5, gpt2)
    least = MinLengthLogitsProcessor(9, 1)
    for processor, name, settings in (
        (guidance, "guidance_scale", {}),
        (least, "min_length", {"min_length": 8}),
    ):
        message = f"logits_processor has a {type(processor).__name__}.*set {name}"
        with pytest.raises(ConfigError, match=message):
            generate(gpt2, IDS, logits_processor=[processor], **GIVEN, **settings)
    with pytest.raises(ConfigError, match="logits_processor is Favour: must be a list"):
        generate(gpt2, IDS, logits_processor=Favour(), **GIVEN)
    with pytest.raises(ConfigError, match=r"'short' returned Tensor of the shape \(1, 3\)"):
        generate(gpt2, IDS, logits_processor=[short], **GIVEN)


def short(ids: Any, scores: Any) -> Any:
    return scores[:, :3]


@pytest.mark.parametrize(
    "settings",
    [{}, {"num_beams": 3, "num_return_sequences": 2}, {"num_beams": 2, "renormalize_logits": True}],
    ids=str,
)
def test_only_allowed_tokens_follow(gpt2: Any, settings: dict[str, Any]):
    def allowed(batch_id: int, ids: torch.Tensor) -> list[int]:
        assert ids.ndim == 1
        assert ids[:4].tolist() == IDS[batch_id].tolist()
        return [3 + batch_id, 5 + len(ids) % 7, 1 + len(ids)]

    settings |= {**GIVEN, "prefix_allowed_tokens_fn": allowed}
    assert torch.equal(generate(gpt2, IDS, **settings), gpt2.generate(IDS, **settings))


def test_samples_share_the_batch_id_of_their_prompt(gpt2: Any):
    seen: set[int] = set()

    def allowed(batch_id: int, ids: torch.Tensor) -> list[int]:
        seen.add(batch_id)
        return [batch_id]

    settings = {**GIVEN, "do_sample": True, "num_return_sequences": 3, "eos_token_id": None}
    found = generate(gpt2, IDS, prefix_allowed_tokens_fn=allowed, **settings)
    assert seen == {0, 1}
    assert found[:, -1].tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.equal(found, gpt2.generate(IDS, prefix_allowed_tokens_fn=allowed, **settings))


class EndsAfter(StoppingCriteria):
    """Ends a row whose tokens have the sum, told by a tensor."""

    def __init__(self, *tokens: int) -> None:
        self.tokens = torch.tensor(tokens)
        self.calls: set[str] = set()

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **kwargs: Any) -> Any:
        self.calls |= {str(row.tolist()) for row in input_ids}
        return torch.isin(input_ids[:, -1], self.tokens)


@pytest.mark.parametrize("num_beams", [1, 3])
def test_stopping_criteria_end_a_row(gpt2: Any, num_beams: int):
    theirs, ours = EndsAfter(12, 19), EndsAfter(12, 19)
    settings = {**GIVEN, "num_beams": num_beams, "max_new_tokens": 9}
    expected = gpt2.generate(IDS, stopping_criteria=StoppingCriteriaList([theirs]), **settings)
    found = generate(gpt2, IDS, stopping_criteria=StoppingCriteriaList([ours]), **settings)
    assert torch.equal(found, expected)
    assert not torch.equal(found, gpt2.generate(IDS, **settings))
    assert ours.calls <= theirs.calls


def test_a_max_length_criterion_is_the_length(gpt2: Any):
    settings = {"stopping_criteria": StoppingCriteriaList([MaxLengthCriteria(12)])}
    ids = IDS[1:]
    with pytest.warns(UserWarning, match="max_length"):
        expected = gpt2.generate(ids, eos_token_id=None, **settings)
    assert torch.equal(generate(gpt2, ids, eos_token_id=None, **settings), expected)


def test_criteria_see_the_scores_where_they_are_kept(gpt2: Any):
    seen: list[tuple[int, tuple[int, ...]]] = []

    def look(ids: Any, scores: Any) -> torch.Tensor:
        seen.append((len(scores), tuple(scores[-1].shape)))
        return torch.tensor([bool(scores[-1].argmax() == ids[0, -1]) and len(scores) == 3])

    kept = {"return_dict_in_generate": True, "output_scores": True, "stopping_criteria": [look]}
    found = generate(gpt2, IDS[1:], max_new_tokens=6, eos_token_id=None, **kept)
    assert seen == [(1, (1, 24)), (2, (1, 24)), (3, (1, 24))]
    assert found.sequences.shape == (1, 7)


def test_criteria_that_double_a_setting_are_refused(gpt2: Any):
    for criterion, name, settings in (
        (EosTokenCriteria(7), "eos_token_id", {}),
        (MaxTimeCriteria(5.0), "max_time", {"max_time": 3.0}),
    ):
        message = f"{type(criterion).__name__} beside {name}="
        with pytest.raises(ConfigError, match=message):
            generate(gpt2, IDS, stopping_criteria=[criterion], **GIVEN, **settings)
    ends = generate(
        gpt2, IDS, stopping_criteria=[EosTokenCriteria([*range(24)])], **GIVEN, eos_token_id=None
    )
    assert ends.shape == (2, 5)


def test_texts_that_may_end_early_need_a_filling(gpt2: Any):
    settings = {**GIVEN, "eos_token_id": None, "pad_token_id": None}
    assert generate(gpt2, IDS, **settings).shape == (2, 10)
    with pytest.raises(ConfigError, match="pad_token_id=None"):
        generate(gpt2, IDS, stopping_criteria=[EndsAfter(3)], **settings)


def test_stop_strings_end_a_text_with_their_last_token():
    llm = reciting_llm("the cat sat on the mat")
    for stop, ending in (("sat", "the cat sat"), ([" o", "zz"], "the cat sat o")):
        found = generate(llm, "the", stop_strings=stop, max_new_tokens=20)[0].tolist()
        assert llm.tokenizer.decode(found) == ending
        assert TOY_EOS not in found


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("num_beams", [1, 3])
def test_stop_strings_end_where_those_of_transformers_do(num_beams: int, seed: int):
    model, tokenizer, dice = tiny_llama(), letters(), random.Random(seed)
    ids = torch.tensor([[dice.randrange(4, 24) for _ in range(4)] for _ in range(3)])
    settings: dict[str, Any] = {"num_beams": num_beams, "max_new_tokens": 10}
    free = tokenizer.batch_decode(model.generate(ids, **settings)[:, 3:], skip_special_tokens=True)
    places = [dice.randrange(max(1, len(text) - 2)) for text in free]
    stops = [text[at : at + dice.randint(1, 3)] for text, at in zip(free, places, strict=True)]
    settings |= {"stop_strings": [stop for stop in stops if stop] or "a", "tokenizer": tokenizer}
    expected = model.generate(ids, **settings)
    assert torch.equal(generate(model, ids, **settings), expected)


def test_a_stop_string_may_begin_in_the_prompt_but_not_end_there():
    llm = reciting_llm("dog! cat! dog!")
    tokenizer = llm.tokenizer
    for stop, text in (("g! c", "dog! cat"), ("dog!", "dog! cat! dog!"), ("og", "dog! cat! dog")):
        found = generate(llm, "dog!", stop_strings=stop, max_new_tokens=10)[0].tolist()
        assert tokenizer.decode(found) == text
        is_at_end = len(found) == len(tokenizer.encode("dog! cat! dog!")) + 1
        assert (TOY_EOS in found) == is_at_end


def test_stop_strings_need_a_tokenizer(gpt2: Any):
    with pytest.raises(ConfigError, match="tokenizer=None: stop_strings"):
        generate(gpt2, IDS, stop_strings="a", **GIVEN)


def test_functions_are_given_tensors_also_where_lists_came():
    kinds: set[type] = set()

    def processor(ids: Any, scores: Any) -> Any:
        kinds.update((type(ids), type(scores)))
        return scores

    found = generate(toy_llm(), [[5, 6]], logits_processor=[processor], max_new_tokens=2)
    assert isinstance(found, list)
    assert kinds == {torch.Tensor}


def test_functions_are_given_arrays_where_torch_is_not_in_use(monkeypatch: pytest.MonkeyPatch):
    import sys

    monkeypatch.delitem(sys.modules, "torch")
    kinds: set[type] = set()

    def processor(ids: Any, scores: Any) -> Any:
        kinds.update((type(ids), type(scores)))
        scores[:, 5] += 100
        return scores

    settings = {"logits_processor": [processor], "max_new_tokens": 2, "do_sample": True}
    assert generate(toy_llm(), [[5, 6]], **settings) == [[5, 6, 5, 5]]
    assert kinds == {np.ndarray}
