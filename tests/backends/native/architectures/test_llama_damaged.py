"""Llama files that contradict themselves, and settings out of range: one line, the right error."""

from __future__ import annotations

import re

import numpy as np
import pytest
from support.backend_contract import Piece, run
from support.llama_files import make_model, metadata_of, tensors_of, write

from foretell.backends.native.architectures import families, read_model
from foretell.errors import ConfigError, ModelFileError, UnsupportedModelError
from foretell.formats.gguf import GGUFFile


@pytest.fixture(scope="module")
def sound():
    """Tensors and metadata of a sound model."""
    model = make_model(num_hidden_layers=1)
    return tensors_of(model), metadata_of(model.config)


@pytest.fixture
def fail(sound, load, tmp_path):
    """`fail(error, tensors, metadata)`: the message that loading a changed file raises."""

    def loading(error, tensors=None, metadata=None, architecture="llama"):
        path = tmp_path / "damaged.gguf"
        all_tensors = {**sound[0], **(tensors or {})}
        all_metadata = {**sound[1], **{f"llama.{k}": v for k, v in (metadata or {}).items()}}
        write(
            path,
            {name: value for name, value in all_tensors.items() if value is not None},
            {name: value for name, value in all_metadata.items() if value is not None},
            architecture=architecture,
        )
        with pytest.raises(error) as caught:
            load(path, threads=1)
        message = str(caught.value)
        assert type(caught.value) is error
        assert "\n" not in message
        assert message.startswith(f"{path}: ")
        return message.removeprefix(f"{path}: ")

    return loading


def test_every_tensor_is_needed(sound, fail):
    for name in sound[0]:
        assert fail(ModelFileError, {name: None}) == f"tensor '{name}' is missing"


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-38, 1e-45, np.nan, np.inf])
def test_frequencies_are_divided_by_positive_numbers(fail, value):
    message = fail(ModelFileError, {"rope_freqs.weight": np.full(8, value, np.float32)})
    reason = f"{np.float32(value):g}, " if np.isfinite(value) else "NaN or infinite weights"
    assert message.startswith(f"tensor 'rope_freqs.weight' holds {reason}")


def test_a_huge_divisor_stops_a_rotation(sound, load, tmp_path):
    """As llama.cpp's converter writes it for heads that are rotated in part."""
    divisors = {"rope_freqs.weight": np.full(8, 1e30, np.float32)}
    path = write(tmp_path / "still.gguf", sound[0] | divisors, sound[1])
    assert np.isfinite(run(load(path), Piece([1, 2, 3], [0]))).all()


@pytest.mark.parametrize("kv_dtype", ["float16", "q8"])
@pytest.mark.parametrize("activations", ["int8", "float32"])
def test_activations_past_float32_are_seen_in_the_logits(
    sound, load, tmp_path, activations, kv_dtype
):
    """Finite weights whose squares are not: NaN, not a row of zeros."""
    name = "blk.0.ffn_down.weight"
    path = write(tmp_path / "vast.gguf", sound[0] | {name: sound[0][name] * 1e30}, sound[1])
    logits = run(load(path, activations=activations, kv_dtype=kv_dtype), Piece([1, 2, 3], [0]))
    assert np.isnan(logits).all()


def test_a_files_name_is_escaped(sound, load, tmp_path):
    changed = {"blk.0.attn_q.weight": None}, {"token_embd.weight": sound[0]["output_norm.weight"]}
    for index, tensors in enumerate(({}, *changed)):
        kept = {name: value for name, value in (sound[0] | tensors).items() if value is not None}
        metadata = sound[1] | ({} if index else {"llama.block_count": 0})
        path = write(tmp_path / f"{index}\n\x1b[31m.gguf", kept, metadata)
        with pytest.raises(ModelFileError, match=rf"{index}\\n\\x1b\[31m.gguf: ") as caught:
            load(path)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("cut", [np.s_[:-1], np.s_[..., :-1], np.s_[None]], ids=str)
def test_every_shape_is_checked(sound, fail, cut):
    for name, weight in sound[0].items():
        if name != "token_embd.weight" or cut != np.s_[:-1]:  # its rows are the vocabulary
            message = fail(ModelFileError, {name: weight[cut]})
            assert "where the metadata asks for" in message, name
            assert f"tensor '{name}' is" in message


@pytest.mark.parametrize(
    "key",
    [
        "block_count",
        "context_length",
        "embedding_length",
        "feed_forward_length",
        "attention.head_count",
        "attention.layer_norm_rms_epsilon",
    ],
)
def test_missing_metadata(fail, key):
    message = fail(ModelFileError, metadata={key: None})
    assert message == f"metadata 'llama.{key}' is missing"


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [
        ("block_count", 0, "an integer from 1 to 1024"),
        ("block_count", 2**32 - 1, "an integer from 1 to 1024"),
        ("block_count", "two", "an integer from 1 to 1024"),
        ("block_count", True, "an integer from 1 to 1024"),
        ("context_length", 0, "an integer from 1 to"),
        ("context_length", 2**32 - 1, "an integer from 1 to"),
        ("embedding_length", 0, "an integer from 16 to"),
        ("embedding_length", 2**32 - 1, "an integer from 16 to"),
        ("feed_forward_length", 0, "an integer from 1 to"),
        ("feed_forward_length", 2**32 - 1, "an integer from 1 to"),
        ("attention.head_count", 0, "an integer from 1 to"),
        ("attention.head_count", [4, 4], "an integer from 1 to"),
        ("attention.head_count_kv", 0, "an integer from 1 to 4"),
        ("attention.head_count_kv", 5, "an integer from 1 to 4"),
        ("attention.key_length", 2048, "an integer from 16 to 1024"),
        ("attention.layer_norm_rms_epsilon", -1.0, "a number from 0 to 1"),
        ("attention.layer_norm_rms_epsilon", float("nan"), "a number from 0 to 1"),
        ("attention.layer_norm_rms_epsilon", "small", "a number from 0 to 1"),
        ("rope.freq_base", 0.0, "a number from 1 to"),
        ("rope.freq_base", float("inf"), "a number from 1 to"),
        ("rope.dimension_count", 0, "an integer from 2 to 16"),
        ("rope.dimension_count", 18, "an integer from 2 to 16"),
        ("rope.scaling.type", 1, "a string"),
    ],
)
def test_settings_out_of_range(fail, key, value, right):
    message = fail(ModelFileError, metadata={key: value})
    assert message.startswith(f"metadata 'llama.{key}' is ")
    assert f": must be {right}" in message


def test_a_wrong_block_count_asks_for_tensors_that_are_not_there(fail):
    message = fail(ModelFileError, metadata={"block_count": 1024})
    assert message == "tensor 'blk.1.attn_q.weight' is missing"


def test_heads_must_share_evenly(fail):
    message = fail(ModelFileError, metadata={"attention.head_count_kv": 3})
    assert message == "4 query heads cannot share 3 kv heads"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"attention.key_length": 24, "attention.value_length": 24}, "24 values"),
        ({"attention.value_length": 32}, "a value head longer or shorter"),
        ({"rope.scaling.type": "spiral"}, "rope scaling 'spiral'"),
    ],
)
def test_variants_that_cannot_run(fail, changes, what):
    message = fail(UnsupportedModelError, metadata=changes)
    assert what in message
    assert "is not supported for architecture 'llama'" in message


def test_a_mixture_says_how_many_experts_are_used(fail):
    message = fail(ModelFileError, metadata={"expert_count": 8})
    assert message == "metadata 'llama.expert_used_count' is missing"


def test_heads_that_do_not_divide_the_width(fail):
    heads = {"attention.head_count": 3, "attention.head_count_kv": 1}
    lengths = {"attention.key_length": None, "attention.value_length": None}
    message = fail(UnsupportedModelError, metadata=heads | lengths)
    assert "a head of 21 values" in message


def test_an_unknown_architecture(fail):
    message = fail(UnsupportedModelError, architecture="rwkv7")
    assert message.startswith("architecture 'rwkv7' is not supported; supported: ")
    known = message.partition("supported: ")[2].replace(" · ", ", ").split(", ")
    assert known == sorted(name for family in families() for name in family.ARCHITECTURES)


@pytest.mark.parametrize("name", ["blk.0.attn_q.weight", "blk.0.attn_norm.weight"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(sound, fail, name, value):
    weight = sound[0][name].copy()
    weight.reshape(-1)[-1] = value
    message = fail(ModelFileError, {name: weight})
    assert message == f"tensor '{name}' holds NaN or infinite weights"


def test_defaults_of_what_a_file_may_leave_out(sound, tmp_path):
    left_out = ("head_count_kv", "key_length", "value_length", "dimension_count", "freq_base")
    metadata = {key: value for key, value in sound[1].items() if not key.endswith(left_out)}
    path = write(tmp_path / "short.gguf", sound[0], metadata)
    with GGUFFile.open(path) as file:
        model = read_model(file)
    assert (model.shape.heads.query, model.shape.heads.kv, model.shape.heads.dim) == (4, 4, 16)
    np.testing.assert_allclose(model.rope.frequencies, 10_000.0 ** (-np.arange(8) / 8), rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"activations": "int4"}, "activations='int4' must be one of 'int8', 'float32'"),
        ({"kv_dtype": "int8"}, "kv_dtype='int8' must be one of 'float16', 'bfloat16', "),
        ({"context_length": 0}, "context_length=0 must be an integer from 1 to 256"),
        ({"context_length": 257}, "context_length=257 must be an integer from 1 to 256"),
        ({"context_length": 16.0}, "context_length=16.0 must be an integer from 1 to 256"),
        ({"num_blocks": 0}, "num_blocks=0 must be"),
        ({"num_blocks": -1}, "num_blocks=-1 must be"),
        ({"num_blocks": 2**40}, "num_blocks=1099511627776: a KV cache for"),
        ({"num_blocks": 2**62}, "num_blocks=4611686018427387904: a KV cache for"),
        ({"block_size": 24}, "block_size=24 must be a multiple of 16, at most 4096"),
        ({"block_size": 0}, "block_size=0 must be a multiple of 16"),
        ({"block_size": 8192}, "block_size=8192 must be a multiple of 16, at most 4096"),
        ({"block_size": 16.0}, "block_size=16.0 must be a multiple of 16"),
        ({"kv_share": 0}, "kv_share=0 must be a number, more than 0 and at most 0.95"),
        ({"kv_share": 0.96}, "kv_share=0.96 must be a number"),
        ({"kv_share": float("nan")}, "kv_share=nan must be a number"),
        ({"kv_share": True}, "kv_share=True must be a number"),
        ({"kv_share": "0.5"}, "kv_share='0.5' must be a number"),
        ({"kv_share": 1e-12}, "kv_share=1e-12 of "),
        ({"kv_share": 0.5, "num_blocks": 8}, "num_blocks=8 and kv_share=0.5 both size the KV pool"),
        ({"threads": 0}, "threads=0 must be an integer from 1 to 1024"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_settings_of_load(load, tiny_model_path, settings, named):
    with pytest.raises(ConfigError) as caught:
        load(tiny_model_path, **settings)
    assert str(caught.value).startswith(named)


def test_a_cache_that_no_machine_can_hold(sound, load, tmp_path):
    """What the user states is refused with the bytes that it would take; a file may state any."""
    metadata = {**sound[1], "llama.context_length": 2**24, "llama.block_count": 1024}
    path = write(tmp_path / "huge.gguf", sound[0], metadata)
    for stated, taken in (({"num_blocks": 2**21}, "4398.0"), ({"context_length": 2**24}, "2199.0")):
        with pytest.raises(ConfigError) as caught:
            load(path, **stated)
        message = str(caught.value)
        (name, value) = next(iter(stated.items()))
        assert message.startswith(f"{name}={value}: a KV cache for ")
        assert f" of {path} takes {taken} GB, more than this machine can give: try " in message
        option = name.replace("_", "-")
        assert re.search(rf"{name}=(\d+) \(in the shell --{option} \1\)$", message), message
    for stated in ({}, {"context_length": 100}):
        with pytest.raises(ModelFileError, match=r"blk\.1\.attn_q\.weight' is missing"):
            load(path, **stated)


def test_heads_too_short_without_a_key_that_says_so(fail):
    metadata = {"attention.key_length": None, "attention.value_length": None}
    metadata |= {"attention.head_count": 16, "attention.head_count_kv": 16}
    message = fail(UnsupportedModelError, metadata=metadata)
    assert "not a multiple of 16 up to 1024" in message


def test_an_odd_number_of_rotated_values(fail):
    message = fail(ModelFileError, metadata={"rope.dimension_count": 15})
    assert message == "rope.dimension_count is 15: must be even"
