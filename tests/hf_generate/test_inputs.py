"""Inputs of every kind, and ids of the same kind back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.hf_models import BOS, EOS, PAD, letters, tiny_gpt2, tiny_llama
from support.toy import BOS as TOY_BOS
from support.toy import EOS as TOY_EOS
from support.toy import reciting_llm, toy_llm, toy_tokenizer

from foretell import LLM, ConfigError, RequestError, generate

ROWS = [[3, 4, 5], [6, 7, 8]]


def test_ids_come_back_as_they_were_given(gpt2: Any):
    expected = gpt2.generate(torch.tensor(ROWS), max_new_tokens=4)
    for dtype in (torch.int64, torch.int32):
        found = generate(gpt2, torch.tensor(ROWS, dtype=dtype), max_new_tokens=4)
        assert found.dtype == dtype
        assert found.device == expected.device
        assert found.tolist() == expected.tolist()
    for kind in (np.int64, np.int32):
        array = generate(gpt2, np.array(ROWS, dtype=kind), max_new_tokens=4)
        assert isinstance(array, np.ndarray)
        assert array.dtype == kind
        assert array.tolist() == expected.tolist()
    rows: Any
    for rows in (ROWS, tuple(map(tuple, ROWS)), [*torch.tensor(ROWS)]):
        assert generate(gpt2, rows, max_new_tokens=4) == expected.tolist()
    assert torch.equal(generate(gpt2, input_ids=torch.tensor(ROWS), max_new_tokens=4), expected)


def test_what_a_tokenizer_gives_is_to_be_unpacked(gpt2: Any):
    inputs = letters()("ab", return_tensors="pt")
    with pytest.raises(RequestError, match=r"inputs is BatchEncoding: .*holds: \*\*inputs$"):
        generate(gpt2, inputs, max_new_tokens=2)
    ids = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    assert generate(gpt2, **ids, max_new_tokens=2).shape == (1, ids["input_ids"].shape[1] + 2)


def test_a_tensor_stays_on_its_device():
    class OnAnotherDevice(torch.Tensor):
        pass

    ids = torch.tensor(ROWS).as_subclass(OnAnotherDevice)
    assert isinstance(generate(tiny_gpt2(), ids, max_new_tokens=2), OnAnotherDevice)


@pytest.mark.parametrize("mask", [torch.tensor, np.array, list])
def test_padding_on_the_left_is_taken_off_and_put_back(gpt2: Any, mask: Any):
    ids = torch.tensor([[9, 9, 4, 5], [6, 7, 8, 9]])
    ones = [[0, 0, 1, 1], [1, 1, 1, 1]]
    expected = gpt2.generate(ids, attention_mask=torch.tensor(ones), max_new_tokens=5)
    found = generate(gpt2, ids, attention_mask=mask(ones), max_new_tokens=5)
    assert torch.equal(found, expected)


def test_a_pad_token_tells_of_padding_unless_it_ends_texts():
    ids = torch.tensor([[PAD, PAD, 4, 5], [6, 7, 8, 9]])
    for eos in (EOS, PAD, [EOS, PAD]):
        model = tiny_gpt2(eos_token_id=eos)
        expected = model.generate(ids, max_new_tokens=5)
        assert torch.equal(generate(model, ids, max_new_tokens=5), expected)


def test_lists_of_unequal_length_are_padded_on_the_left(gpt2: Any):
    found = generate(gpt2, [[4, 5], [6, 7, 8, 9]], max_new_tokens=3, eos_token_id=None)
    padded = torch.tensor([[PAD, PAD, 4, 5], [6, 7, 8, 9]])
    assert found == gpt2.generate(padded, max_new_tokens=3, eos_token_id=None).tolist()


def test_without_inputs_it_starts_from_the_beginning(gpt2: Any):
    found = generate(gpt2, max_new_tokens=3)
    assert found.tolist() == gpt2.generate(max_new_tokens=3).tolist()
    assert found[0, 0] == BOS
    with pytest.raises(RequestError, match="inputs=None"):
        generate(gpt2, max_new_tokens=3, bos_token_id=None)


@pytest.mark.parametrize(
    ("inputs", "mask", "message"),
    [
        ([3, 4], None, r"shape \(batch, length\)"),
        ([], None, r"at least one row"),
        ([[]], None, "row 0 of inputs has no tokens"),
        ([[3], [4.5]], None, "row 1 of inputs has 4.5: must have integers"),
        ([[3, 24]], None, "token 24 .*must be 0 to 23"),
        ([[3, -1]], None, "token -1"),
        ({3}, None, "inputs is set"),
        (7, None, "inputs is int"),
        ([[3, 4]], [[1]], "attention_mask must have the shape"),
        ([[3, 4]], [[0, 0]], "row 0 of inputs has no tokens"),
        ([[3, 4, 5]], [[1, 1, 0]], "padding at 2, .*padded on the left"),
        ([[3, 4, 5]], [[1, 0, 1]], "padding at 1, .*padded on the left"),
        ([[3, PAD]], None, "told by the pad token 2"),
    ],
)
def test_inputs_that_make_no_sense_are_refused(gpt2: Any, inputs: Any, mask: Any, message: str):
    with pytest.raises(RequestError, match=message) as caught:
        generate(gpt2, inputs, attention_mask=mask, max_new_tokens=2)
    assert "\n" not in str(caught.value)


def test_tensors_of_other_shapes_and_types_are_refused(gpt2: Any):
    for wrong in (
        torch.tensor([3, 4]),
        torch.tensor(3),
        torch.rand(1, 2),
        np.zeros((1, 2, 2), int),
    ):
        with pytest.raises(RequestError, match="must have"):
            generate(gpt2, wrong, max_new_tokens=2)
    with pytest.raises(ConfigError, match="inputs and input_ids are both given"):
        generate(gpt2, ROWS, input_ids=ROWS, max_new_tokens=2)


def test_negative_prompts_need_a_row_each(llama: Any):
    with pytest.raises(RequestError, match="negative_prompt_ids has 1 rows: must have 2"):
        generate(llama, ROWS, negative_prompt_ids=[[3]], guidance_scale=2.0, max_new_tokens=2)
    with pytest.raises(RequestError, match="negative_prompt_attention_mask"):
        generate(
            llama,
            ROWS,
            negative_prompt_ids=ROWS,
            negative_prompt_attention_mask=[[1, 0, 1]] * 2,
            guidance_scale=2.0,
            max_new_tokens=2,
        )


def test_texts_become_ids_with_the_prompt(gpt2: Any):
    llm = reciting_llm("the cat sat", "a dog")
    found = generate(llm, ["the cat", "a d"], max_new_tokens=8)
    tokenizer = llm.tokenizer
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.int64
    assert found.shape[0] == 2
    assert [tokenizer.decode(row) for row in found.tolist()] == ["the cat sat", "a dog"]
    assert found[:, -1].tolist() == [TOY_EOS] * 2  # both the end and the filling
    one = generate(llm, "the cat", max_new_tokens=8)
    assert tokenizer.decode(one[0].tolist()) == "the cat sat"
    with pytest.raises(ConfigError, match="attention_mask has no meaning for text"):
        generate(llm, "the cat", attention_mask=[[1]], max_new_tokens=2)
    with pytest.raises(ConfigError, match="tokenizer=None: inputs given as text"):
        generate(gpt2, "the cat", max_new_tokens=2)


def test_an_llm_goes_on_with_its_other_work():
    llm = toy_llm(adds_bos=True)
    alone = [chunk.token_ids for chunk in toy_llm(adds_bos=True).stream("cat", max_new_tokens=6)]
    stream = llm.stream("cat", max_new_tokens=6)
    first = next(stream)
    found = generate(llm, ["the", "cat"], max_new_tokens=4, eos_token_id=None)
    assert [first.token_ids, *(chunk.token_ids for chunk in stream)] == alone
    assert TOY_BOS in found[0]
    assert llm.stats().running == 0
    expected = toy_llm(adds_bos=True).generate("the", max_new_tokens=4, ignore_eos=True)
    assert found[0, -4:].tolist() == expected.token_ids


def test_a_backend_comes_with_its_tokenizer():
    backend = toy_llm().backend
    found = generate(backend, [[5, 6]], tokenizer=toy_tokenizer(), max_new_tokens=3)
    assert found == generate(toy_llm(), [[5, 6]], max_new_tokens=3)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Any, Path]:
    """A model with settings of its own, and the folder in which it lies with a tokenizer."""
    model = tiny_llama()
    model.generation_config.num_beams = 2
    model.generation_config.max_new_tokens = 6
    model.save_pretrained(tmp_path)
    letters().save_pretrained(tmp_path)
    return model, tmp_path


def test_a_folder_is_decoded_as_transformers_does(saved: tuple[Any, Path]):
    model, folder = saved
    ids = torch.tensor([[4, 5, 6], [7, 8, 9]])
    llm = LLM(folder, activations="float32", kv_dtype="float32")
    assert llm.info.name == "native"
    assert torch.equal(generate(llm, ids), model.generate(ids))
    assert generate(llm, ids, eos_token_id=None).shape == (2, 9)
    by_path = generate(folder, ids, max_new_tokens=2)  # int8 activations: other bits
    assert by_path.shape == (2, 5)
    through_llm = LLM(model, tokenizer=letters())
    assert torch.equal(generate(through_llm, ids), model.generate(ids))


def test_texts_are_read_with_the_tokenizer_of_transformers(saved: tuple[Any, Path]):
    model, folder = saved
    tokenizer = letters()
    tokenizer.padding_side = "left"
    texts = ["abcdab", "efg a"]
    inputs = tokenizer(texts, return_tensors="pt", padding=True, return_token_type_ids=False)
    found = generate(model, texts, tokenizer=tokenizer)
    assert torch.equal(found, model.generate(**inputs))
    assert torch.equal(generate(model, **inputs), found)
    llm = LLM(folder, activations="float32", kv_dtype="float32")
    assert generate(llm, texts).tolist() == found.tolist()


def test_the_default_model_writes(default_model_path: Path):
    with LLM(default_model_path) as llm:
        found = generate(llm, "The capital of France is", max_new_tokens=5)
        alone = llm.generate("The capital of France is", max_new_tokens=5)
        assert found[0, -len(alone.token_ids) :].tolist() == alone.token_ids
        assert "Paris" in llm.tokenizer.decode(found[0].tolist())
