"""Mixtures of experts that others have quantized: the logits of the floats that they mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.checkpoint_folders import logits_of
from support.family_contract import load_folder
from support.kernel_bench import ISAS, bits
from support.quantized_folders import (
    AWQ,
    GPTQ,
    WEIGHTS,
    Grouping,
    Packed,
    Quantized,
    Scaled,
    compressed,
    fp8_config,
    save_quantized_mixture,
)
from support.reference_model import EXACT, assert_like_the_reference

from foretell.backends.native.architectures import read_model
from foretell.backends.native.weights.checkpoint_weights import CheckpointWeights
from foretell.backends.native.weights.experts import ExpertMatrices
from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.types import BlockType, FolderType, TensorType

EXPERT = "model.layers.1.mlp.experts.3.up_proj"
CHANNEL = compressed("float-quantized", {"num_bits": 8, "type": "float", "strategy": "channel"})


def some_with_zeros(name: str, weight: np.ndarray, rng: np.random.Generator) -> Any:
    """Expert 3 unlike the others."""
    return GPTQ(Grouping(symmetric=".experts.3." not in name))(name, weight, rng)


CASES: dict[str, tuple[Any, dict[str, Any], BlockType]] = {
    "gptq": (GPTQ(), GPTQ().config, FolderType.S4_128),
    "gptq 32 with zeros": (
        GPTQ(Grouping(group=32, symmetric=False)),
        GPTQ(Grouping(group=32, symmetric=False)).config,
        FolderType.Z4_32,
    ),
    "gptq 8 bits": (GPTQ(Grouping(bits=8)), GPTQ(Grouping(bits=8)).config, TensorType.Q8_0),
    "gptq, not all alike": (some_with_zeros, GPTQ().config, TensorType.F32),
    "awq": (AWQ(), AWQ().config, FolderType.Z4_128),
    "packed": (Packed(), Packed().config, FolderType.S4_128),
    "fp8 blocks": (Scaled(), fp8_config(), FolderType.E4M3_128),
    "compressed fp8 rows": (
        Scaled(block=(1, 0), scale_name="weight_scale"),
        CHANNEL,
        FolderType.E4M3_128,
    ),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Quantized]:
    """Each case's folder, made once."""
    found: dict[str, Quantized] = {}

    def make(case: str) -> Quantized:
        if case not in found:
            writer, config, _ = CASES[case]
            folder = tmp_path_factory.mktemp("quantized")
            found[case] = save_quantized_mixture(folder, writer, config)
        return found[case]

    return make


@pytest.mark.parametrize("case", CASES)
def test_logits_are_those_of_the_floats_that_are_meant(
    made: Callable[[str], Quantized], case: str
) -> None:
    found = made(case)
    assert_like_the_reference(load_folder(found.folder, **EXACT), found.model)


@pytest.mark.parametrize("case", CASES)
def test_what_they_are_packed_as(made: Callable[[str], Quantized], case: str) -> None:
    with Checkpoint.open(made(case).folder) as checkpoint:
        weights = CheckpointWeights(checkpoint, read_model(checkpoint).HF_NAMES)
        experts = weights._kept("blk.1.ffn_up_exps.weight")
        assert isinstance(experts, ExpertMatrices)
        assert (experts.kind, experts.shape) == (CASES[case][2], (6, 128, 256))


@pytest.mark.parametrize("case", ["gptq", "awq", "fp8 blocks"])
def test_the_same_bits_on_every_instruction_set_and_team(
    made: Callable[[str], Quantized], case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made(case).folder
    found = []
    for isa in ISAS:
        monkeypatch.setenv("FORETELL_ISA", isa)
        found += [logits_of(load_folder(folder, threads=threads)) for threads in (1, 2, 3)]
    for one in found[1:]:
        np.testing.assert_array_equal(bits(one), bits(found[0]))


@pytest.mark.parametrize(
    ("case", "kind"), [("fp8 blocks", TensorType.Q8_0), ("gptq", FolderType.S4_128)]
)
def test_quantize_is_for_what_are_floats(
    made: Callable[[str], Quantized], case: str, kind: BlockType
) -> None:
    with Checkpoint.open(made(case).folder) as checkpoint:
        weights = CheckpointWeights(checkpoint, read_model(checkpoint).HF_NAMES, "q8")
        assert weights._packed_as("blk.1.ffn_up_exps.weight") is kind


def test_float8_may_be_quantized(made: Callable[[str], Quantized]) -> None:
    folder = made("fp8 blocks").folder
    kept, quantized = (logits_of(load_folder(folder, quantize=one)) for one in (None, "q8"))
    assert 0 < np.abs(kept - quantized).mean() < 0.1


def change(folder: Path, edit: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = load_file(folder / WEIGHTS)
    edit(tensors)
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})


def test_an_order_of_inputs_is_refused(tmp_path: Path) -> None:
    writer = GPTQ(Grouping(shuffled=True))
    folder = save_quantized_mixture(tmp_path, writer, writer.config).folder
    with pytest.raises(UnsupportedModelError, match=r"experts.0.\w+.qweight' has its inputs in an"):
        load_folder(folder)


def test_one_that_is_missing_is_told(tmp_path: Path) -> None:
    folder = save_quantized_mixture(tmp_path, GPTQ(), GPTQ().config).folder
    change(folder, lambda tensors: tensors.pop(f"{EXPERT}.qweight"))
    message = "begin with tensor '.*experts.0.up_proj.qweight' are 3 × 128 × 256, where .* 6 × 128"
    with pytest.raises(ModelFileError, match=message):
        load_folder(folder)


def test_one_of_another_shape_is_named(tmp_path: Path) -> None:
    folder = save_quantized_mixture(tmp_path, Scaled(), fp8_config()).folder

    def edit(tensors: dict[str, torch.Tensor]) -> None:
        tensors[f"{EXPERT}.weight"] = tensors[f"{EXPERT}.weight"].T.contiguous()
        scales = tensors[f"{EXPERT}.weight_scale_inv"]
        tensors[f"{EXPERT}.weight_scale_inv"] = scales.T.contiguous()

    change(folder, edit)
    message = f"'{EXPERT}.weight' makes a matrix of 256 × 128, and '.*experts.0.* 128 × 256"
    with pytest.raises(ModelFileError, match=message):
        load_folder(folder)


@pytest.mark.parametrize("quantize", [None, "q8"])
def test_one_that_is_not_finite_is_named(tmp_path: Path, quantize: Any) -> None:
    folder = save_quantized_mixture(tmp_path, Scaled(), fp8_config()).folder

    def edit(tensors: dict[str, torch.Tensor]) -> None:
        tensors[f"{EXPERT}.weight"].view(torch.uint8)[5, 7] = 127

    change(folder, edit)
    with pytest.raises(ModelFileError, match=f"'{EXPERT}.weight' holds NaN or infinite weights"):
        load_folder(folder, quantize=quantize)


def test_a_decode_step_reads_the_chosen_experts_alone(made: Callable[[str], Quantized]) -> None:
    info = load_folder(made("gptq").folder).info
    plain = load_folder(made("gptq").folder / "meant").info
    experts = 2 * 2 * 3 * 128 * 256  # layers, chosen, matrices
    attention = 2 * 256 * (2 * 4 + 2 * 2) * 32
    saved = (experts + attention) * (32 - 4 - 16 / 128) / 8
    assert plain.weight_bytes - info.weight_bytes == saved
