"""Tensors of a folder that stand twice, or have no place in the model: as in transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from support.checkpoint_folders import logits_of, reference_logits, save_llama
from support.family_contract import load_folder
from support.family_files import GEMMA3, GPT2, make_family
from support.folder_tokenizers import save
from support.reference_model import EXACT

from foretell import LLM
from foretell.formats.checkpoint import Checkpoint

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
Change = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]


def edit(folder: Path, change: Change) -> Path:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, {"format": "pt"})
    return folder


def assert_like_transformers(folder: Path, ids: list[int] | None = None) -> None:
    ids = ids or list(range(5, 45))
    logits = logits_of(load_folder(folder, **EXACT), ids)
    np.testing.assert_allclose(logits, reference_logits(folder, ids), rtol=0, atol=1e-4)


OWN = np.random.default_rng(0).standard_normal((160, 64)).astype(np.float32)
TIED: dict[str, Change] = {
    "a head of its own": lambda t: {**t, HEAD: OWN},
    "a head that is the embedding": lambda t: {**t, HEAD: t[EMBEDDING].copy()},
    "a head in another type": lambda t: {**t, HEAD: OWN.astype(np.float16)},
    "a head alone": lambda t: {HEAD if k == EMBEDDING else k: v for k, v in t.items()},
}


@pytest.mark.parametrize("name", TIED)
def test_tied_to_a_head_in_the_file(name: str, tmp_path: Path) -> None:
    assert_like_transformers(edit(save_llama(tmp_path), TIED[name]))


def test_an_equal_head_takes_no_memory(tmp_path: Path) -> None:
    folder = save_llama(tmp_path)
    expected = load_folder(folder, **EXACT).info.weight_bytes
    backend = load_folder(edit(folder, TIED["a head that is the embedding"]), **EXACT)
    assert (backend.info.weight_bytes, backend.unread) == (expected, ())


@pytest.mark.parametrize("family", [GEMMA3, GPT2], ids=lambda family: family.architecture)
def test_other_families_tie_alike(family: Any, tmp_path: Path) -> None:
    make_family(family).save_pretrained(tmp_path)
    rows = {"gemma3": 160, "gpt2": 163}[family.architecture]
    head = np.random.default_rng(1).standard_normal((rows, 64)).astype(np.float32)
    assert_like_transformers(edit(tmp_path, lambda tensors: {**tensors, HEAD: head}))


ONE = np.ones(64, np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_llama(tmp_path, vocab_size=500)
    return save(tmp_path, "llama3")


@pytest.mark.parametrize("backend", ["native", "transformers"])
def test_tensors_without_a_place_are_named(
    folder: Path, backend: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bias = "model.layers.1.self_attn.q_proj.bias"
    names = [f"model.extra.{index}.weight" for index in range(4)]
    edit(folder, lambda tensors: {**tensors, bias: ONE, **dict.fromkeys(names, ONE)})
    assert_like_transformers(folder)
    caplog.clear()
    with LLM(folder, backend=backend):
        told = [record.getMessage() for record in caplog.records if record.name == "foretell"]
    shown = "'model.extra.0.weight', 'model.extra.1.weight', 'model.extra.2.weight' and 2 more"
    assert told == [f"{folder.name}: left out, as no model of its kind has {shown}"]


@pytest.mark.parametrize("backend", ["native", "transformers"])
def test_tensors_that_are_computed_anew_are_passed_over(
    folder: Path, backend: Any, caplog: pytest.LogCaptureFixture
) -> None:
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    edit(folder, lambda tensors: {**tensors, name: np.ones(8, np.float32)})
    with LLM(folder, backend=backend):
        assert "left out" not in caplog.text


def test_masks_of_gpt2_are_passed_over(tmp_path: Path) -> None:
    make_family(GPT2).save_pretrained(tmp_path)
    masks = {"transformer.h.0.attn.bias": ONE, "transformer.h.1.attn.masked_bias": ONE}
    edit(tmp_path, lambda tensors: {**tensors, **masks})
    assert load_folder(tmp_path).unread == ()


def test_a_name_that_a_terminal_would_obey_is_escaped(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    edit(folder, lambda tensors: {**tensors, "\x1b[31mred": ONE})
    with LLM(folder):
        assert r"has '\x1b[31mred'" in caplog.text
    with Checkpoint.open(folder) as checkpoint:
        assert "\x1b[31mred" in checkpoint.tensors
