"""Quantized folders that are damaged, or lie: a sentence that names the tensor, or the key."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.family_contract import load_folder
from support.quantized_folders import (
    AWQ,
    GPTQ,
    WEIGHTS,
    Grouping,
    Packed,
    Scaled,
    compressed,
    fp8_config,
    save_quantized,
    write_config,
)

from foretell.errors import ForetellError, ModelFileError, UnsupportedModelError

SMALL = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 1}
UP = "model.layers.0.mlp.up_proj"  # 96 outputs, 64 inputs, two groups
GROUPS = Grouping(group=32, symmetric=False)
WRITERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "gptq": (GPTQ(GROUPS), GPTQ(GROUPS).config),
    "awq": (AWQ(GROUPS), AWQ(GROUPS).config),
    "packed": (Packed(GROUPS), Packed(GROUPS).config),
    "fp8": (Scaled(block=(32, 32)), fp8_config((32, 32))),
    "rows": (
        Scaled(block=(1, 0), scale_name="weight_scale"),
        compressed("float-quantized", {"num_bits": 8, "type": "float", "strategy": "channel"}),
    ),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> dict[str, Path]:
    """A folder of each kind."""
    return {
        name: save_quantized(tmp_path_factory.mktemp(name), writer, config, **SMALL).folder
        for name, (writer, config) in WRITERS.items()
    }


@pytest.fixture
def folder_of(sound, tmp_path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(sound[name], tmp_path / name))


def refusal(folder: Path, error: type[ForetellError] = ModelFileError, **options: Any) -> str:
    with pytest.raises(error) as caught:
        load_folder(folder, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    assert str(folder) in message
    return message


def change(folder: Path, part: str, value: Any) -> Path:
    """Put another tensor in the place of a part of one module; None: take it away."""
    tensors = load_file(folder / WEIGHTS)
    old = tensors.pop(f"{UP}.{part}", None)
    if callable(value):
        value = value(old.clone())
    if value is not None:
        tensors[f"{UP}.{part}"] = value.contiguous()
    save_file(tensors, folder / WEIGHTS)
    return folder


def put(index: Any, value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def changed(tensor: torch.Tensor) -> torch.Tensor:
        tensor[index] = value
        return tensor

    return changed


NAN, INF = float("nan"), float("inf")
WRONG_TENSORS: dict[str, tuple[str, str, Any, str]] = {
    # how, the part, what becomes of it, what is said
    "gptq words": ("gptq", "qweight", lambda t: t[:-1], "has 7 words for 64 inputs, 3.5 bits each"),
    "gptq outputs": ("gptq", "qweight", lambda t: t[:, :-8], "must be 2 × 11 to fit the others"),
    "gptq dtype": ("gptq", "qweight", lambda t: t.float(), "'F32': must be I32 or U32"),
    "gptq vector": ("gptq", "qweight", lambda t: t[0], "must be a matrix"),
    "gptq empty": ("gptq", "qweight", lambda t: t[:0], "must be a matrix"),
    "gptq no zeros": ("gptq", "qzeros", None, f"'{UP}.qzeros' is missing"),
    "gptq no scales": ("gptq", "scales", None, f"'{UP}.scales' is missing"),
    "gptq zeros": ("gptq", "qzeros", lambda t: t[:, :-1], "must be 2 × 12 to fit the others"),
    "gptq groups": ("gptq", "scales", lambda t: t[:1], "has 1 groups: must be 2, for 64 inputs"),
    "gptq nan": ("gptq", "scales", put((0, 0), NAN), "holds NaN or infinite values"),
    "gptq inf": ("gptq", "scales", put((1, 95), INF), "holds NaN or infinite values"),
    "gptq integers": ("gptq", "scales", lambda t: t.int(), "must be F32 or F16 or BF16"),
    "gptq group 2": ("gptq", "g_idx", put(63, 2), "names group 2: must be from 0 to 1"),
    "gptq group -1": ("gptq", "g_idx", put(0, -1), "names group -1: must be from 0 to 1"),
    "gptq group 10^9": ("gptq", "g_idx", put(5, 10**9), "names group 1000000000"),
    "gptq order": ("gptq", "g_idx", lambda t: t[:-1], "8 words for 63 inputs"),
    "gptq order empty": ("gptq", "g_idx", lambda t: t[:0], "a group for each input"),
    "awq words": ("awq", "qweight", lambda t: t[:-1], "has 2 groups, for 63 inputs"),
    "awq outputs": ("awq", "qweight", lambda t: t[:, :-1], "must be 2 × 11 to fit the others"),
    "awq no zeros": ("awq", "qzeros", None, f"'{UP}.qzeros' is missing"),
    "awq nan": ("awq", "scales", put((0, 0), NAN), "holds NaN or infinite values"),
    "awq groups": ("awq", "scales", lambda t: t[:1], "has 1 groups, for 64 inputs"),
    "packed no scale": ("packed", "weight_scale", None, f"'{UP}.weight_scale' is missing"),
    "packed no shape": ("packed", "weight_shape", None, f"'{UP}.weight_shape' is missing"),
    "packed shape": ("packed", "weight_shape", put(0, 97), "must be 96 outputs, and inputs"),
    "packed inputs 0": ("packed", "weight_shape", put(1, 0), "must be 96 outputs, and inputs"),
    "packed inputs -1": ("packed", "weight_shape", put(1, -1), "must be 96 outputs, and inputs"),
    "packed inputs": ("packed", "weight_shape", put(1, 10**9), "8 words for 1000000000 inputs"),
    "packed words": ("packed", "weight_packed", lambda t: t[:, :-1], "has 7 words for 64 inputs"),
    "packed zeros": ("packed", "weight_zero_point", lambda t: t[:-1], "must be 12 × 2 to fit"),
    "packed groups": ("packed", "weight_scale", lambda t: t[:, [0, 1, 1]], "must divide 64 inputs"),
    "packed inf": ("packed", "weight_scale", put((0, 0), -INF), "holds NaN or infinite values"),
    "fp8 nan": ("fp8", "weight", put((95, 63), NAN), "holds NaN or infinite weights"),
    "fp8 no scale": ("fp8", "weight_scale_inv", None, f"'{UP}.weight_scale_inv' is missing"),
    "fp8 grid": ("fp8", "weight_scale_inv", lambda t: t[:-1], "is 2 × 2: must be 3 × 2 to fit"),
    "fp8 scale": ("fp8", "weight_scale_inv", put((0, 0), INF), "holds NaN or infinite values"),
    "fp8 shape": ("fp8", "weight", lambda t: t[:, :-1], "is 96 × 63, where config.json asks for"),
    "rows": ("rows", "weight_scale", lambda t: t[:-1], "one for each of 96 rows"),
    "rows overflow": ("rows", "weight_scale", put((0, 0), 3e38), "NaN or infinite weights"),
}  # fmt: skip


ORDERED = Grouping(group=32, symmetric=False, shuffled=True)
LEFT_OUT: dict[str, tuple[Any, dict[str, Any], str]] = {
    # what writes it, what the config says, the part that must be there
    "gptq's order": (GPTQ(ORDERED), GPTQ(ORDERED).config, "g_idx"),
    "packed order": (Packed(ORDERED), Packed(ORDERED).config, "weight_g_idx"),
    "packed zeros": (Packed(GROUPS), Packed(GROUPS).config, "weight_zero_point"),
    "zeros of int8": (
        Scaled(block=(1, 0), scale_name="weight_scale", dtype="int8"),
        compressed("int-quantized", {"num_bits": 8, "type": "int", "symmetric": False}),
        "weight_zero_point",
    ),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_the_config_says_that_there_is_must_be_there(case, tmp_path):
    writer, config, part = LEFT_OUT[case]
    folder = save_quantized(tmp_path, writer, config, **SMALL).folder
    if "int8" not in case:
        load_folder(folder)
    message = refusal(change(folder, part, None))
    assert f"{part}' is missing" in message


def test_words_of_other_bits_than_the_config_says(folder_of):
    message = refusal(change(folder_of("packed"), "weight_packed", lambda t: t.repeat(1, 2)))
    assert "has 16 words for 64 inputs: must be of 4 bits each" in message


def test_one_scale_where_there_are_blocks(folder_of):
    message = refusal(change(folder_of("fp8"), "weight_scale_inv", lambda t: t[:1, :1]))
    assert "is 1 × 1: must be 3 × 2 to fit the others" in message


def test_scales_too_large_for_float16_are_kept_without_a_warning(tmp_path):
    writer = Scaled(block=(1, 0), scale_name="weight_scale", dtype="int8")
    config = compressed("int-quantized", {"num_bits": 8, "type": "int", "strategy": "channel"})
    folder = save_quantized(tmp_path, writer, config, **SMALL).folder
    load_folder(change(folder, "weight_scale", put((0, 0), 1e6)))


@pytest.mark.parametrize("case", WRONG_TENSORS)
def test_tensors_that_do_not_fit(folder_of, case):
    how, part, value, words = WRONG_TENSORS[case]
    message = refusal(change(folder_of(how), part, value))
    assert words in message
    assert UP in message


WRONG_CONFIGS: dict[str, tuple[str, dict[str, Any], str]] = {
    "bits": ("gptq", {"bits": 8}, "4 bits each: must be 8, as quantization_config says"),
    "no bits": ("gptq", {"bits": None}, "'bits' is missing"),
    "bits as text": ("gptq", {"bits": "4"}, "'bits' is '4'"),
    "5 bits": ("gptq", {"bits": 5}, "must be one of 2, 3, 4 and 8"),
    "group 0": ("gptq", {"group_size": 0}, "group_size is 0"),
    "group -2": ("gptq", {"group_size": -2}, "'group_size' is -2"),
    "group 10^9": ("gptq", {"group_size": 10**9}, "'group_size' is 1000000000"),
    "group 16": ("gptq", {"group_size": 16}, "has 2 groups: must be 4"),
    "format": ("gptq", {"checkpoint_format": 2}, "'checkpoint_format' is 2"),
    "awq group": ("awq", {"group_size": 64}, "has 2 groups, for 64 inputs and group_size=64"),
    "zero_point": ("awq", {"zero_point": "no"}, "'zero_point' is 'no'"),
    "block": ("fp8", {"weight_block_size": [0, 32]}, "must be two sizes"),
    "block of one": ("fp8", {"weight_block_size": [32]}, "must be two sizes"),
    "block as text": ("fp8", {"weight_block_size": "32"}, "weight_block_size"),
    "block structure": ("rows", {"config_groups": {"a": {"weights": {"block_structure": [0]}}}},
                        "must be two sizes"),
    "groups": ("packed", {"config_groups": []}, "config_groups"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_CONFIGS)
def test_configs_that_lie(folder_of, case):
    how, values, words = WRONG_CONFIGS[case]
    folder = folder_of(how)
    write_config(folder, WRITERS[how][1] | values)
    assert words in refusal(folder)


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "marlin": ("gptq", {"checkpoint_format": "marlin"}, "GPTQ in the format 'marlin'"),
    "is marlin": ("gptq", {"is_marlin_format": True}, "is_marlin_format=True"),
    "rotation": ("gptq", {"rotation": "hadamard"}, "rotation='hadamard'"),
    "pack_dtype": ("gptq", {"pack_dtype": "int16"}, "pack_dtype='int16'"),
    "gemv": ("awq", {"version": "gemv"}, "AWQ in the format 'gemv'"),
    "llm-awq": ("awq", {"backend": "llm-awq"}, "AWQ in the format"),
    "3-bit awq": ("awq", {"bits": 3}, "AWQ in other than 4 bits"),
    "symmetric awq": ("awq", {"zero_point": False}, "zero_point=false"),
    "fp4 experts": ("fp8", {"expert_dtype": "fp4"}, "experts in other than float8"),
    "marlin-24": ("packed", {"format": "marlin-24"}, "in the format 'marlin-24'"),
    "nvfp4": ("packed", {"format": "nvfp4-pack-quantized"}, "'nvfp4-pack-quantized'"),
    "sparse": ("rows", {"sparsity_config": {"format": "sparse-24-bitmask"}}, "sparsity_config"),
    "rotated": ("packed", {"transform_config": {"config_groups": {"R1": {}}}}, "transform_config"),
    "a number": ("packed", {"format": 7}, "in the format 7"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_supported_is_refused_by_name(folder_of, case):
    how, values, words = REFUSED[case]
    folder = folder_of(how)
    write_config(folder, WRITERS[how][1] | values)
    assert words in refusal(folder, UnsupportedModelError)


def test_other_float8_is_refused(folder_of):
    folder = change(folder_of("fp8"), "weight", lambda t: t.float().to(torch.float8_e5m2))
    assert "float8 weights must be F8_E4M3" in refusal(folder, UnsupportedModelError)


def test_float8_that_no_config_names_is_refused(folder_of):
    folder = folder_of("fp8")
    write_config(folder, None)
    assert "is F8_E4M3: must be F32, F16 or BF16" in refusal(folder, UnsupportedModelError)


def test_rules_for_single_modules_allow_other_sizes(folder_of, sound):
    """`dynamic` is a list of expressions, which are never run: what the tensors say counts."""
    folder = folder_of("gptq")
    rules = {"bits": 8, "group_size": 16, "dynamic": {"+:(a+)+$": {"bits": 4, "group_size": 32}}}
    write_config(folder, WRITERS["gptq"][1] | rules)
    assert load_folder(folder).info.weight_bytes == load_folder(sound["gptq"]).info.weight_bytes


def test_modules_that_were_left_as_they_are(folder_of):
    """Whatever the config says of them."""
    for how in WRITERS:
        folder = folder_of(how)
        tensors = load_file(folder / WEIGHTS)
        parts = [name for name in tensors if name.startswith(f"{UP}.")]
        for name in parts:
            del tensors[name]
        save_file(tensors | {f"{UP}.weight": torch.zeros(96, 64)}, folder / WEIGHTS)
        assert load_folder(folder).unread == ()


def test_biases_of_zeros_are_no_news(folder_of):
    folder = change(folder_of("gptq"), "bias", torch.zeros(96, dtype=torch.float16))
    assert load_folder(folder).unread == ()
    change(folder, "bias", torch.ones(96, dtype=torch.float16))
    assert load_folder(folder).unread == (f"{UP}.bias",)


def test_an_order_of_zeros_is_none(folder_of, sound):
    folder = change(folder_of("gptq"), "g_idx", lambda t: t * 0)
    assert load_folder(folder).info.weight_bytes == load_folder(sound["gptq"]).info.weight_bytes


def test_shards(folder_of):
    folder = folder_of("gptq")
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    names = ["a.safetensors", "b.safetensors"]
    where = {name: names[index % 2] for index, name in enumerate(sorted(tensors))}
    for shard in names:
        save_file({n: t for n, t in tensors.items() if where[n] == shard}, folder / shard)
    index = folder / f"{WEIGHTS}.index.json"
    index.write_text(json.dumps({"weight_map": where}))
    load_folder(folder)
    lost = f"{UP}.scales"
    left = {n: t for n, t in tensors.items() if where[n] == where[lost] and n != lost}
    save_file(left, folder / where[lost])
    assert f"'{lost}'" in refusal(folder)
    (folder / where[lost]).unlink()
    assert "one of the shards" in refusal(folder)


def test_noise_is_read_or_refused(folder_of):
    """Any bytes in the place of any tensor: a model that runs, or a sentence."""
    rng = np.random.default_rng(0)
    for how in WRITERS:
        folder = folder_of(how)
        tensors = load_file(folder / WEIGHTS)
        for name in [name for name in tensors if name.startswith(f"{UP}.")]:
            noise = rng.integers(0, 256, tensors[name].nbytes, dtype=np.uint8)
            shape, dtype = tensors[name].shape, tensors[name].dtype
            broken = torch.from_numpy(noise).view(dtype).reshape(shape)
            save_file(tensors | {name: broken}, folder / WEIGHTS)
            with contextlib.suppress(ForetellError):
                load_folder(folder)
