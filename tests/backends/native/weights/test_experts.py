"""The matrices of experts: in every form that checkpoints keep them, and damaged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.family_contract import load_folder, save
from support.family_files import Family, make_family, write_family
from support.kernel_bench import bits
from support.llama_files import Stored
from support.mixture_files import (
    GPT_OSS,
    GRANITE_MOE,
    MIXTRAL,
    PHIMOE,
    QWEN3_MOE,
    take_gpt_oss_apart,
)
from support.reference_model import EXACT, assert_like_the_reference, prefill_and_decode, some_ids
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.types import TensorType

WEIGHTS = "model.safetensors"


def logits(folder: Path, model: Any, **settings: Any) -> np.ndarray:
    return prefill_and_decode(load_folder(folder, **settings), some_ids(model, 12), 9)


@pytest.mark.parametrize(
    "family", [MIXTRAL, QWEN3_MOE, GRANITE_MOE, PHIMOE], ids=lambda one: one.architecture
)
def test_one_tensor_for_all_experts(tmp_path: Path, family: Family) -> None:
    """As transformers has them in memory, and saves them when it is asked to."""
    model = make_family(family)
    expected = logits(save(tmp_path / "own", model), model, **EXACT)
    model.save_pretrained(tmp_path / "stacked", save_original_format=False)
    names = load_file(tmp_path / "stacked" / WEIGHTS)
    assert any(name.endswith("experts.gate_up_proj") for name in names)
    actual = logits(tmp_path / "stacked", model, **EXACT)
    np.testing.assert_array_equal(bits(actual), bits(expected))


def change(folder: Path, edit: Any) -> None:
    """Let `edit` change the folder's tensors."""
    tensors = load_file(folder / WEIGHTS)
    edit(tensors)
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})


def to_mxfp4(folder: Path, model: Any) -> None:
    """Random blocks and scales in place of the experts' floats; the model's weights from them."""
    generator = torch.Generator().manual_seed(5)

    def edit(tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if name.endswith(("gate_up_proj", "down_proj"))]:
            experts, cols, rows = tensors.pop(name).shape
            shape = (experts, rows, cols // 32)
            blocks = torch.randint(256, (*shape, 16), generator=generator, dtype=torch.uint8)
            scales = torch.randint(122, 125, shape, generator=generator, dtype=torch.uint8)
            tensors |= {f"{name}_blocks": blocks, f"{name}_scales": scales}
            values = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
            model.get_parameter(name).data.copy_(values)

    change(folder, edit)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "mxfp4"}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.fixture
def gpt_oss(tmp_path: Path) -> tuple[Path, Any]:
    model = make_family(GPT_OSS)
    folder = save(tmp_path / "folder", model)
    to_mxfp4(folder, model)
    return folder, model


def test_mxfp4_as_transformers_reads_it(gpt_oss: tuple[Path, Any]) -> None:
    folder, model = gpt_oss
    assert_like_the_reference(load_folder(folder, **EXACT), model)


@pytest.mark.parametrize("quantize", [None, "q8"])
def test_mxfp4_is_kept_whatever_becomes_of_the_rest(
    gpt_oss: tuple[Path, Any], quantize: Any
) -> None:
    folder, _ = gpt_oss
    backend = load_folder(folder, quantize=quantize)
    assert "int8 activations" in backend.info.description


def stored_experts(model: Any) -> dict[str, Stored]:
    """The experts' matrices as a file has them in MXFP4, by the package that made it."""
    found = {}
    for name, weight in model.state_dict().items():
        for part, values in take_gpt_oss_apart(None, name, weight.numpy()).items():
            if values.ndim == 3:
                layer = part.split(".")[2]
                kind = part.split(".")[-2].removesuffix("_proj")
                data = gguf.quantize(np.ascontiguousarray(values), gguf.GGMLQuantizationType.MXFP4)
                found[f"blk.{layer}.ffn_{kind}_exps.weight"] = Stored(TensorType.MXFP4, data)
    return found


def test_files_and_folders_have_the_same_bits(
    gpt_oss: tuple[Path, Any], tmp_path: Path, load: Any
) -> None:
    folder, model = gpt_oss

    def others(config: Any, name: str, values: np.ndarray) -> dict[str, np.ndarray]:
        parts = take_gpt_oss_apart(config, name, values)
        return {part: values for part, values in parts.items() if values.ndim < 3}

    family = replace(GPT_OSS, tensors=stored_experts, convert=others)
    path = write_family(tmp_path / "m.gguf", family, model)
    ids = some_ids(model, 12)
    actual = prefill_and_decode(load(path), ids, 9)
    np.testing.assert_array_equal(bits(actual), bits(logits(folder, model)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(tmp_path, make_family(QWEN3_MOE))


EXPERT = "model.layers.1.mlp.experts.3.up_proj.weight"


def test_an_expert_that_is_missing_is_named(folder: Path) -> None:
    change(folder, lambda tensors: tensors.pop(EXPERT))
    message = "begin with tensor '.*experts.0.up_proj.weight' are 3 × 32 × 64, where .* 6 × 32 × 64"
    with pytest.raises(ModelFileError, match=message):
        load_folder(folder)


def test_experts_that_are_missing_are_named(folder: Path) -> None:
    def edit(tensors: dict[str, torch.Tensor]) -> None:
        for expert in range(6):
            tensors.pop(EXPERT.replace("3", str(expert)))

    change(folder, edit)
    with pytest.raises(ModelFileError, match=r"experts.0.up_proj.weight' is missing"):
        load_folder(folder)


@pytest.mark.parametrize("to", [lambda x: x.to(torch.float16), lambda x: x.T.contiguous()])
def test_an_expert_unlike_the_others_is_named(folder: Path, to: Any) -> None:
    change(folder, lambda tensors: tensors.update({EXPERT: to(tensors[EXPERT])}))
    with pytest.raises(ModelFileError, match=f"'{EXPERT}' is not of the type and shape of"):
        load_folder(folder)


@pytest.mark.parametrize("quantize", [None, "q8"])
def test_an_expert_that_is_not_finite_is_named(folder: Path, quantize: Any) -> None:
    change(folder, lambda tensors: tensors[EXPERT][5, 7].fill_(torch.nan))
    with pytest.raises(ModelFileError, match=f"'{EXPERT}' holds NaN or infinite weights"):
        load_folder(folder, quantize=quantize)


def test_experts_of_integers_are_refused(folder: Path) -> None:
    def edit(tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if ".up_proj." in name]:
            tensors[name] = tensors[name].to(torch.int8)

    change(folder, edit)
    with pytest.raises(UnsupportedModelError, match="is I8: must be F32, F16 or BF16"):
        load_folder(folder)


def test_blocks_without_their_scales_are_refused(gpt_oss: tuple[Path, Any]) -> None:
    def edit(tensors: dict[str, torch.Tensor]) -> None:
        name = "model.layers.0.mlp.experts.down_proj_scales"
        tensors[name] = tensors[name][:, :-1].contiguous()

    change(gpt_oss[0], edit)
    with pytest.raises(ModelFileError, match="do not fit: must be bytes, 16 in a block"):
        load_folder(gpt_oss[0])


@pytest.mark.parametrize("dtype", [torch.int8, torch.float32])
def test_blocks_that_are_no_bytes_are_refused(gpt_oss: tuple[Path, Any], dtype: Any) -> None:
    def edit(tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if ".0." in name and "down_proj_" in name]:
            if name.endswith(("_blocks", "_scales")):
                tensors[name] = tensors[name].to(dtype)

    change(gpt_oss[0], edit)
    with pytest.raises(ModelFileError, match="do not fit: must be bytes, 16 in a block"):
        load_folder(gpt_oss[0])


@pytest.mark.parametrize(
    ("changed", "sizes"),
    [
        (lambda t: t[0, 0].clone(), "64"),
        (lambda t: t[0, 0, 0].clone(), "a single number"),
        (lambda t: t[..., None].contiguous(), "6 × 1 × 64 × 64"),
        (lambda t: torch.cat([t, t[..., :1]], -1), "6 × 65 × 64"),
    ],
)
def test_stacks_of_other_shapes_are_refused(changed: Any, sizes: str, tmp_path: Path) -> None:
    folder = save(tmp_path, make_family(GPT_OSS, intermediate_size=32))
    name = "model.layers.1.mlp.experts.gate_up_proj"  # 6 experts, 64 inputs, 64 outputs
    change(folder, lambda tensors: tensors.update({name: changed(tensors[name])}))
    with pytest.raises(ModelFileError, match=f"'{name}' are {sizes}, where .* 6 × 32 × 64"):
        load_folder(folder)


@pytest.mark.parametrize("quantize", [None, "q8", "q4"])
def test_a_decode_step_reads_the_chosen_experts_alone(folder: Path, quantize: Any) -> None:
    whole = load_folder(folder, quantize=quantize).info.weight_bytes
    config = json.loads((folder / "config.json").read_text())
    config["num_experts_per_tok"] = 1
    (folder / "config.json").write_text(json.dumps(config))
    one = load_folder(folder, quantize=quantize).info.weight_bytes
    bits_of_weight = {None: 32, "q8": 8.5, "q4": 5}[quantize]
    assert whole - one == 2 * 3 * 32 * 64 * bits_of_weight / 8


@pytest.mark.parametrize("quantize", ["q8", "q4"])
def test_experts_are_quantized_and_routers_are_not(folder: Path, quantize: Any) -> None:
    model = make_family(QWEN3_MOE)
    exact = logits(folder, model, **EXACT)
    near = logits(folder, model, quantize=quantize)
    away = {"q8": 0.1, "q4": 1.5}[quantize]
    assert 0 < np.abs(near - exact).mean() < away
