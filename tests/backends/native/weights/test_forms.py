"""Folders that others have quantized: the logits of the floats that they mean, by transformers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.checkpoint_folders import logits_of
from support.family_contract import load_folder
from support.kernel_bench import ISAS, bits
from support.llama_files import reference_logits
from support.quantized_folders import (
    AWQ,
    GPTQ,
    Grouping,
    Packed,
    Quantized,
    Scaled,
    compressed,
    fp8_config,
    save_quantized,
)
from support.reference_model import EXACT, assert_like_the_reference

from foretell.backends.native.architectures import read_model
from foretell.backends.native.weights.checkpoint_weights import CheckpointWeights
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.types import BlockType, FolderType, TensorType

DOWN = "blk.1.ffn_down.weight"
S4, Z4, Z4_32, Z8 = FolderType.S4_128, FolderType.Z4_128, FolderType.Z4_32, FolderType.Z8_32
F32, Q4_0, Q8_0, E4M3 = TensorType.F32, TensorType.Q4_0, TensorType.Q8_0, FolderType.E4M3_128
CHANNEL = compressed("float-quantized", {"num_bits": 8, "type": "float", "strategy": "channel"})
INTEGERS = compressed("int-quantized", {"num_bits": 8, "type": "int", "strategy": "channel"})
ROWS: dict[str, Any] = {"block": (1, 0), "scale_name": "weight_scale"}

CASES: dict[str, tuple[Any, dict[str, Any] | None, BlockType]] = {
    "gptq": (GPTQ(), None, S4),
    "gptq v2": (GPTQ(version=2), None, S4),
    "gptq with zeros": (GPTQ(Grouping(symmetric=False)), None, Z4),
    "gptq v2 with zeros": (GPTQ(Grouping(symmetric=False), version=2), None, Z4),
    "gptq 64": (GPTQ(Grouping(group=64)), None, Q4_0),
    "gptq 32 with zeros": (GPTQ(Grouping(group=32, symmetric=False)), None, Z4_32),
    "gptq whole rows": (GPTQ(Grouping(group=-1, symmetric=False)), None, Z4),
    "gptq 16": (GPTQ(Grouping(group=16)), None, F32),
    "gptq 100, the last group smaller": (GPTQ(Grouping(group=100)), None, F32),
    "gptq act-order": (GPTQ(Grouping(shuffled=True)), None, S4),
    "gptq act-order, zeros, 32": (
        GPTQ(Grouping(group=32, symmetric=False, shuffled=True)), None, Z4_32),
    "gptq act-order, 100": (GPTQ(Grouping(group=100, shuffled=True)), None, F32),
    "gptq 8 bits": (GPTQ(Grouping(bits=8)), None, Q8_0),
    "gptq 8 bits with zeros": (GPTQ(Grouping(bits=8, symmetric=False)), None, Z8),
    "gptq 3 bits": (GPTQ(Grouping(bits=3, symmetric=False)), None, Z4),
    "gptq 3 bits v2": (GPTQ(Grouping(bits=3, group=32), version=2), None, Z4_32),
    "gptq 2 bits": (GPTQ(Grouping(bits=2, symmetric=False)), None, Z4),
    "gptq bfloat16 scales": (GPTQ(Grouping(scales="bfloat16")), None, S4),
    "gptq float32 scales": (GPTQ(Grouping(scales="float32")), None, F32),
    "awq": (AWQ(), None, Z4),
    "awq 64": (AWQ(Grouping(group=64, symmetric=False)), None, Z4_32),
    "awq whole rows": (AWQ(Grouping(group=-1, symmetric=False)), None, Z4),
    "packed": (Packed(), None, S4),
    "packed rows, bfloat16 scales": (Packed(Grouping(group=-1, scales="bfloat16")), None, S4),
    "packed with zeros": (Packed(Grouping(symmetric=False)), None, Z4),
    "packed act-order": (Packed(Grouping(shuffled=True)), None, S4),
    "packed 8 bits": (Packed(Grouping(bits=8)), None, Q8_0),
    "fp8 blocks": (Scaled(), fp8_config(), E4M3),
    "fp8 bfloat16 blocks": (Scaled(scale_dtype="bfloat16"), fp8_config(), E4M3),
    "fp8 powers of two": (Scaled(scale_dtype="float8_e8m0fnu"), fp8_config(), E4M3),
    "fp8 blocks of 64": (Scaled(block=(64, 64)), fp8_config((64, 64)), F32),
    "fp8 uneven blocks": (Scaled(block=(100, 128)), fp8_config((100, 128)), E4M3),
    "fp8 tensors": (
        Scaled(block=(0, 0), scale_name="weight_scale", scalar=True), fp8_config(None), E4M3),
    "fp8 rows": (Scaled(**ROWS), {"quant_method": "fbgemm_fp8"}, E4M3),
    "compressed fp8 rows": (Scaled(**ROWS, scale_dtype="bfloat16"), CHANNEL, E4M3),
    "compressed int8 rows": (Scaled(**ROWS, dtype="int8"), INTEGERS, F32),
    "compressed int8 rows, bfloat16": (
        Scaled(**ROWS, dtype="int8", scale_dtype="bfloat16"), INTEGERS, Q8_0),
}  # fmt: skip
SOME = ("gptq act-order, zeros, 32", "gptq", "awq", "gptq 8 bits with zeros", "fp8 blocks")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Each case's folder, made once."""
    made: dict[str, Quantized] = {}

    def make(case: str) -> Quantized:
        if case not in made:
            writer, config, _ = CASES[case]
            folder = tmp_path_factory.mktemp("quantized")
            made[case] = save_quantized(folder, writer, config or writer.config)
        return made[case]

    return make


@pytest.mark.parametrize("case", CASES)
def test_logits_are_those_of_the_floats_that_are_meant(folders, case):
    found = folders(case)
    assert_like_the_reference(load_folder(found.folder, **EXACT), found.model)


@pytest.mark.parametrize("case", CASES)
def test_what_a_form_is_packed_as(folders, case):
    with Checkpoint.open(folders(case).folder) as checkpoint:
        model = read_model(checkpoint)
        matrix = CheckpointWeights(checkpoint, model.HF_NAMES)._matrix(DOWN)
    assert matrix.kind is CASES[case][2]


@pytest.mark.parametrize("case", CASES)
def test_the_floats_that_are_meant_come_back_exactly(folders, case):
    found = folders(case)
    meant = found.model.model.layers[1].mlp.down_proj.weight.detach().numpy()
    with Checkpoint.open(found.folder) as checkpoint:
        names = read_model(checkpoint).HF_NAMES
        values = CheckpointWeights(checkpoint, names)._matrix(DOWN).values()
    np.testing.assert_array_equal(values, meant)


@pytest.mark.parametrize("case", SOME)
def test_the_same_bits_on_every_instruction_set_and_team(folders, case, load_isa):
    folder = folders(case).folder
    expected = logits_of(load_isa(folder, ISAS[0], threads=1))
    for isa in ISAS:
        for threads in (1, 2, 3):
            found = logits_of(load_isa(folder, isa, threads=threads))
            np.testing.assert_array_equal(bits(found), bits(expected), f"{isa} {threads}")


@pytest.fixture
def load_isa(monkeypatch):
    def load(folder, isa, **options):
        monkeypatch.setenv("FORETELL_ISA", isa)
        return load_folder(folder, **options)

    return load


@pytest.mark.parametrize("case", SOME)
def test_int8_activations_change_little(folders, case):
    found = folders(case)
    ids = list(range(5, 45))
    logits = logits_of(load_folder(found.folder), ids)
    expected = reference_logits(found.model, ids)
    assert np.abs(logits - expected).max() < 0.15 * expected.std()


@pytest.mark.parametrize("case", ["fp8 blocks", "gptq"])
def test_quantize_takes_what_is_float(folders, case):
    folder = folders(case).folder
    plain, small = (load_folder(folder, quantize=how).info.weight_bytes for how in (None, "q4"))
    assert small < plain


@pytest.mark.parametrize("is_shuffled", [False, True])
def test_early_layers_are_not_told_of_where_the_output_takes_its_inputs_in_another_order(
    tmp_path, is_shuffled
):
    writer = GPTQ(Grouping(shuffled=is_shuffled))
    config = {**writer.config, "lm_head": True}
    found = save_quantized(
        tmp_path, writer, config, with_output=True, tie_word_embeddings=False, vocab_size=128
    )
    backend = load_folder(found.folder, **EXACT)
    assert_like_the_reference(backend, found.model)
    assert backend.info.num_layers == (0 if is_shuffled else found.model.config.num_hidden_layers)
