"""What a GGUF file says, and the computation would leave out, is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from support import kin_files
from support.family_files import GEMMA3, GPT2, QWEN2, QWEN3, Family, make_family, write_family
from support.llama_files import make_model, metadata_of, tensors_of, write
from support.reference_model import EXACT, assert_like_the_reference

from foretell.backends.native.backend import NativeBackend
from foretell.backends.native.unread import HARMLESS_KEYS, NEUTRAL_VALUES
from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.gguf import GGUFFile

MODEL = make_model()
TENSORS, METADATA = tensors_of(MODEL), metadata_of(MODEL.config)
READ = {  # what llama.cpp's graph of Llama computes with, and foretell's
    *("context_length", "embedding_length", "block_count", "feed_forward_length", "expert_count"),
    *("attention.head_count", "attention.head_count_kv", "attention.key_length"),
    *("attention.value_length", "attention.layer_norm_rms_epsilon", "rope.dimension_count"),
    *("rope.freq_base", "rope.scaling.type", "rope.scaling.factor", "rope.scaling.attn_factor"),
    "rope.scale_linear",
}


def _keys(group: type) -> set[str]:
    """All keys of a group of `gguf.constants.Keys` that begin with the architecture's name."""
    found = set()
    for value in vars(group).values():
        if isinstance(value, str) and value.startswith("{arch}."):
            found.add(value.removeprefix("{arch}."))
        elif isinstance(value, type):
            found |= _keys(value)
    return found


def _refusal(path: Path) -> str:
    with GGUFFile.open(path) as file, pytest.raises(UnsupportedModelError) as caught:
        NativeBackend.load(file)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("key", sorted(_keys(gguf.Keys) - READ - HARMLESS_KEYS))
def test_every_other_key_of_llama_cpp_is_refused(key: str, tmp_path: Path) -> None:
    message = _refusal(write(tmp_path / "m.gguf", TENSORS, METADATA | {f"llama.{key}": 3.5}))
    assert message == f"metadata 'llama.{key}' is not supported for architecture 'llama'"


@pytest.mark.parametrize("key", ["llama.made_up", "diffusion.shift_logits", "adapter.type"])
def test_other_keys_that_change_the_computation_are_refused(key: str, tmp_path: Path) -> None:
    message = _refusal(write(tmp_path / "m.gguf", TENSORS, METADATA | {key: True}))
    assert message == f"metadata '{key}' is not supported for architecture 'llama'"


def test_many_are_counted(tmp_path: Path) -> None:
    more = {f"llama.made_up_{i}": i for i in range(5)}
    message = _refusal(write(tmp_path / "m.gguf", TENSORS, METADATA | more))
    assert "'llama.made_up_2' and 2 more is not supported" in message


def test_an_adapter_is_no_model(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", TENSORS, METADATA | {"general.type": "adapter"})
    assert _refusal(path) == "general.type is 'adapter': must be a whole model"


HARMLESS: dict[str, Any] = {
    **{f"llama.{key}": 1 for key in sorted(HARMLESS_KEYS - {"attention.layer_norm_rms_epsilon"})},
    **{f"llama.{key}": values[0] for key, values in NEUTRAL_VALUES.items()},
    "llama.attention.sliding_window": 256,
    "general.type": "model",
    "mradermacher.quantized_at": "today",
    "quantize.imatrix.file": "a.dat",
}


@pytest.mark.parametrize("key", HARMLESS)
def test_keys_that_change_nothing_are_passed_over(key: str, load: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", TENSORS, METADATA | {key: HARMLESS[key]})
    assert_like_the_reference(load(path, **EXACT), MODEL)


KIN = [one for one in vars(kin_files).values() if isinstance(one, Family) and one.architecture]


@pytest.mark.parametrize(
    "family", [GEMMA3, GPT2, QWEN2, QWEN3, *KIN], ids=lambda family: family.architecture
)
def test_every_family_refuses_what_it_does_not_know(family: Any, tmp_path: Path) -> None:
    model = make_family(family)
    values = {**family.metadata(model.config), "made_up": 1}
    changed = type(family)(**{**vars(family), "metadata": lambda config: values})
    message = _refusal(write_family(tmp_path / "m.gguf", changed, model))
    assert f"metadata '{family.architecture}.made_up' is not supported" in message


VECTOR = np.ones(64, np.float32)


@pytest.mark.parametrize(
    "name",
    [
        *("output.bias", "blk.1.attn_q.bias", "blk.0.attn_sinks.weight", "output_norm.bias"),
        *("blk.7.attn_q.weight", "position_embd.weight", "v.blk.0.attn_q.weight", "strange\x1b[0m"),
    ],
)
def test_tensors_that_nothing_reads_are_refused(name: str, tmp_path: Path) -> None:
    message = _refusal(write(tmp_path / "m.gguf", {**TENSORS, name: VECTOR}, METADATA))
    assert message == f"the file holds {name!r}, which foretell's 'llama' does not compute with"


def test_a_bias_of_a_later_layer_is_missing_or_refused(tmp_path: Path) -> None:
    """Of a family with biases a layer may not lack one; of others a layer may not have one."""
    model = make_family(QWEN2)
    path = write_family(tmp_path / "m.gguf", QWEN2, model)
    with GGUFFile.open(path) as file:
        del file.tensors["blk.1.attn_q.bias"]
        with pytest.raises(ModelFileError, match=r"tensor 'blk.1.attn_q.bias' is missing"):
            NativeBackend.load(file)


def test_divisors_of_frequencies_belong_to_models_that_rotate(tmp_path: Path) -> None:
    path = write_family(tmp_path / "m.gguf", GPT2, make_family(GPT2))
    with GGUFFile.open(path) as file:
        file.tensors["rope_freqs.weight"] = file.tensors["output_norm.weight"]
        with pytest.raises(UnsupportedModelError, match=r"the file holds 'rope_freqs.weight'"):
            NativeBackend.load(file)


def test_frequencies_of_older_files_are_passed_over(load: Any, tmp_path: Path) -> None:
    more = {"blk.0.attn_rot_embd.weight": np.ones(8, np.float32)}
    path = write(tmp_path / "m.gguf", TENSORS | more, METADATA)
    assert_like_the_reference(load(path, **EXACT), MODEL)
