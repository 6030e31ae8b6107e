"""LoRA adapters, merged as a model is loaded: transformers' logits with W + alpha / r · B A."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.adapters import ATTENTION, CONFIG, PREFIX, WEIGHTS, Adapter
from support.checkpoint_folders import logits_of
from support.family_contract import load_folder
from support.family_files import GPT2, make_family
from support.llama_files import make_model, read_reference, reference_logits, write_model
from support.quantized_folders import GPTQ, Grouping, Scaled, fp8_config, save_quantized
from support.reference_model import EXACT, assert_like_the_reference

from foretell.backends.native.backend import NativeBackend
from foretell.backends.native.options import AdapterChoice
from foretell.backends.native.weights.decode import float_bytes
from foretell.errors import ModelFileError, ModelNotFoundError, UnsupportedModelError
from foretell.formats.types import TensorType

MLP = ("gate_proj", "up_proj", "down_proj")
UNTIED: dict[str, Any] = {"tie_word_embeddings": False}


def chosen(*folders: Path, weights: tuple[float, ...] = ()) -> tuple[AdapterChoice, ...]:
    shares = weights or (1.0,) * len(folders)
    return tuple(map(AdapterChoice, folders, shares))


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> tuple[Path, Any]:
    folder, model = tmp_path_factory.mktemp("base"), make_model(**UNTIED)
    model.save_pretrained(folder)
    return folder, model


CASES = {
    "attention": Adapter(),
    "all products": Adapter(ATTENTION + MLP, rank=3, alpha=16),
    "rslora": Adapter(config={"use_rslora": True}),
    "patterns": Adapter(
        ATTENTION + MLP,
        config={
            "rank_pattern": {"layers.1.self_attn.q_proj": 7, "down_proj": 2},
            "alpha_pattern": {"^model.layers.0.mlp.up_proj$": 3, "k_proj": 1.5},
        },
    ),
    "embedding": Adapter(("embed_tokens",)),
    "head": Adapter(("lm_head",)),
}


@pytest.mark.parametrize("case", CASES)
def test_logits_are_those_of_the_merged_weights(base, tmp_path, case):
    folder, model = base
    adapter = CASES[case].save(tmp_path / "adapter", model)
    plain = CASES[case]
    if case == "patterns":  # as the definition of the reference spells names
        plain = copy.deepcopy(plain)
        plain.config["alpha_pattern"] = {"layers.0.mlp.up_proj": 3, "k_proj": 1.5}
    merged = plain.merge(adapter, copy.deepcopy(model))
    backend = load_folder(folder, adapters=chosen(adapter), **EXACT)
    assert np.abs(logits_of(backend) - reference_logits(model, list(range(5, 45)))).max() > 0.1
    assert_like_the_reference(backend, merged)


def test_several_are_added_up(base, tmp_path):
    folder, model = base
    adapters = [Adapter(seed=seed, rank=rank) for seed, rank in ((1, 2), (2, 5))]
    merged = copy.deepcopy(model)
    folders = []
    for number, (adapter, share) in enumerate(zip(adapters, (0.5, -2.0), strict=True)):
        folders.append(adapter.save(tmp_path / str(number), model))
        adapter.merge(folders[-1], merged, share)
    choices = chosen(*folders, weights=(0.5, -2.0))
    assert_like_the_reference(load_folder(folder, adapters=choices, **EXACT), merged)


def test_they_are_in_the_description(base, tmp_path):
    folder, model = base
    one, two = (Adapter().save(tmp_path / name, model) for name in ("pirate", "poet"))
    choices = chosen(one, two, weights=(1, 0.5))
    backend = load_folder(folder, adapters=choices, quantize="q8")
    assert f"{folder.name} + pirate + poet × 0.5 in q8, " in backend.info.description


@pytest.mark.parametrize("how", ["q8", "q4"])
def test_what_is_merged_is_quantized(base, tmp_path, how):
    folder, model = base
    adapter = Adapter().save(tmp_path / "adapter", model)
    merged = Adapter().merge(adapter, copy.deepcopy(model))
    merged.save_pretrained(tmp_path / "merged")
    found = load_folder(folder, adapters=chosen(adapter), quantize=how, threads=1)
    expected = load_folder(tmp_path / "merged", quantize=how, threads=1)
    np.testing.assert_allclose(logits_of(found), logits_of(expected), atol=0.02)


def rounded_to(model: Any, dtype: str) -> Any:
    """The model with its weights rounded, in float32."""
    model = copy.deepcopy(model)
    for weight in model.parameters():
        weight.data = weight.data.to(getattr(torch, dtype)).float()
    return model


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_weight_keeps_its_type(base, tmp_path, dtype):
    _, model = base
    low = rounded_to(model, dtype)
    copy.deepcopy(low).to(getattr(torch, dtype)).save_pretrained(tmp_path / "low")
    adapter = Adapter().save(tmp_path / "adapter", model)
    exact = Adapter().merge(adapter, copy.deepcopy(low))
    rounded = rounded_to(exact, dtype)
    found = load_folder(tmp_path / "low", adapters=chosen(adapter), **EXACT)
    plain = load_folder(tmp_path / "low", **EXACT)
    assert found.info.weight_bytes == plain.info.weight_bytes
    ids = list(range(5, 45))
    near, far = (
        np.abs(logits_of(found) - reference_logits(model, ids)).std() for model in (rounded, exact)
    )
    assert near < far / 4  # but for sums that lie between two numbers


@pytest.mark.parametrize("kind", [TensorType.F16, TensorType.BF16, TensorType.F32])
def test_floats_are_rounded_as_torch_rounds_them(kind):
    dtype = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32}[kind.name]
    bits = np.random.default_rng(0).integers(0, 2**32, 100_000, dtype=np.uint32)
    values = bits.view(np.float32)[np.isfinite(bits.view(np.float32))]
    expected = torch.from_numpy(values).to(dtype).view(torch.uint8).numpy()
    np.testing.assert_array_equal(float_bytes(values, kind), expected)


def test_modules_to_save_take_the_place_of_the_models(base, tmp_path):
    folder, model = base
    adapter = Adapter(config={"modules_to_save": ["lm_head"]}).save(tmp_path / "a", model)
    merged = Adapter().merge(adapter, copy.deepcopy(model))
    tensors = load_file(adapter / WEIGHTS)
    head = torch.randn_like(model.lm_head.weight) * 0.2
    merged.lm_head.weight.data = head
    save_file(tensors | {f"{PREFIX}lm_head.weight": head}, adapter / WEIGHTS)
    assert_like_the_reference(load_folder(folder, adapters=chosen(adapter), **EXACT), merged)


def test_a_head_that_is_saved_is_its_own_where_the_models_was_tied(tmp_path):
    model = make_model()
    model.save_pretrained(tmp_path / "base")
    adapter = Adapter(config={"modules_to_save": ["lm_head"]}).save(tmp_path / "a", model)
    head = torch.randn_like(model.lm_head.weight) * 0.2
    save_file(load_file(adapter / WEIGHTS) | {f"{PREFIX}lm_head.weight": head}, adapter / WEIGHTS)
    merged = make_model(**UNTIED)
    merged.load_state_dict(model.state_dict())
    merged.lm_head.weight.data = head
    Adapter().merge(adapter, merged)
    backend = load_folder(tmp_path / "base", adapters=chosen(adapter), **EXACT)
    assert_like_the_reference(backend, merged)


def test_gpt2_keeps_its_weights_transposed(tmp_path):
    model = make_family(GPT2)
    model.save_pretrained(tmp_path / "base")
    how = Adapter(("c_attn", "c_proj"), config={"fan_in_fan_out": True})
    adapter = how.save(tmp_path / "a", model)
    merged = how.merge(adapter, copy.deepcopy(model))
    backend = load_folder(tmp_path / "base", adapters=chosen(adapter), **EXACT)
    assert_like_the_reference(backend, merged)


@pytest.mark.parametrize(
    "writer", [GPTQ(), GPTQ(Grouping(shuffled=True)), Scaled()], ids=["gptq", "act-order", "fp8"]
)
def test_a_quantized_weight_becomes_float(tmp_path, writer):
    config = writer.config if isinstance(writer, GPTQ) else fp8_config()
    found = save_quantized(tmp_path / "base", writer, config, **UNTIED)
    adapter = Adapter().save(tmp_path / "a", found.model)
    backend = load_folder(found.folder, adapters=chosen(adapter), **EXACT)
    assert_like_the_reference(backend, Adapter().merge(adapter, found.model))


@pytest.mark.parametrize("kind", ["F32", "Q8_0", "Q4_0"])
def test_gguf_files_take_them_in_the_order_of_their_rows(load, tmp_path, kind):
    model = make_model(**UNTIED)
    path = write_model(tmp_path / "m.gguf", model, kind)
    adapter = Adapter(ATTENTION + MLP).save(tmp_path / "a", model)
    merged = Adapter(ATTENTION + MLP).merge(adapter, read_reference(path))
    assert_like_the_reference(load(path, adapters=chosen(adapter), **EXACT), merged)


def write_gguf_adapter(path: Path, tensors: dict[str, np.ndarray], alpha: float = 8) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("as_file", [True, False])
def test_gguf_adapters(load, tmp_path, as_file):
    """Rows of queries as llama.cpp's converter orders them, on a file and on a folder."""
    model = make_model(**UNTIED)
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape).astype(np.float32) * 0.1 for shape in ((4, 64), (64, 4)))
    model.save_pretrained(tmp_path / "folder")
    path = write_model(tmp_path / "m.gguf", model, "F32")
    weight = model.model.layers[0].self_attn.q_proj.weight
    weight.data = (weight.double() + torch.from_numpy(2.0 * b.astype(float) @ a)).float()
    pairs = b.reshape(4, 2, 8, 4).swapaxes(1, 2).reshape(64, 4)
    names = {"blk.0.attn_q.weight.lora_a": a, "blk.0.attn_q.weight.lora_b": pairs}
    adapter = write_gguf_adapter(tmp_path / "adapter.gguf", names)
    settings = {"adapters": chosen(adapter), **EXACT}
    folder = tmp_path / "folder"
    backend = load(path, **settings) if as_file else load_folder(folder, **settings)
    assert_like_the_reference(backend, model)


def refusal(base, adapter: Path, error=ModelFileError, **options: Any) -> str:
    with pytest.raises(error) as caught:
        load_folder(base[0], adapters=chosen(adapter), **options)
    message = str(caught.value)
    assert "\n" not in message
    assert str(adapter) in message
    return message


def edit(adapter: Path, **values: Any) -> Path:
    config = json.loads((adapter / CONFIG).read_text())
    (adapter / CONFIG).write_text(json.dumps(config | values))
    return adapter


def change(adapter: Path, name: str, value: torch.Tensor | None) -> Path:
    tensors = load_file(adapter / WEIGHTS)
    tensors.pop(name, None)
    save_file(tensors | ({} if value is None else {name: value}), adapter / WEIGHTS)
    return adapter


@pytest.fixture
def adapter(base, tmp_path) -> Path:
    return Adapter().save(tmp_path / "adapter", base[1])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"peft_type": "IA3"}, "type 'IA3'"),
        ({"lora_bias": True}, "lora_bias=True"),
        ({"target_parameters": ["x"]}, "target_parameters"),
        ({"layer_replication": [[0, 2]]}, "layer_replication"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"init_lora_weights": "pissa_niter_4"}, "pissa"),
        ({"rank_pattern": {"(a+)+$": 4}}, "a regular expression"),
    ],
)
def test_other_kinds_are_refused_by_name(base, adapter, values, words):
    assert words in refusal(base, edit(adapter, **values), UnsupportedModelError)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"r": 5}, "has rank 4: must be 5, as adapter_config.json says"),
        ({"r": 0}, "'r' is 0"),
        ({"r": 10**9}, "'r' is 1000000000"),
        ({"lora_alpha": "8"}, "'lora_alpha' is '8'"),
        ({"lora_alpha": float("nan")}, "nan"),
        ({"rank_pattern": []}, "rank_pattern"),
        ({"rank_pattern": {"q_proj": None}}, "q_proj"),
        ({"use_rslora": 1}, "use_rslora"),
    ],
)
def test_odd_values_are_refused_by_name(base, adapter, values, words):
    assert words in refusal(base, edit(adapter, **values))


Q = f"{PREFIX}model.layers.0.self_attn.q_proj.lora_"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (f"{Q}A.weight", None, "must have one lora_A and one lora_B"),
        (f"{Q}A.weight", torch.zeros(3, 64), "are for ranks 3 and 4"),
        (f"{Q}A.weight", torch.zeros(4, 60), "is for 64 × 60: the model's is 64 × 64"),
        (f"{Q}A.weight", torch.zeros(4), "must be a matrix"),
        (f"{Q}A.weight", torch.full((4, 64), float("nan")), "NaN or infinite"),
        (f"{PREFIX}lm_head.weight", torch.zeros(161, 64), "is 161 × 64, where config.json asks"),
    ],
)
def test_tensors_that_do_not_fit(base, adapter, name, value, words):
    message = refusal(base, change(adapter, name, value))
    assert words in message


def test_changes_that_overflow(base, adapter):
    change(edit(adapter, lora_alpha=1e9), f"{Q}A.weight", torch.full((4, 64), 1e38))
    assert "'model.layers.0.self_attn.q_proj' makes weights infinite" in refusal(base, adapter)


def test_a_module_that_is_not_there(base, adapter):
    name = f"{PREFIX}model.layers.7.self_attn.q_proj.lora_"
    change(adapter, f"{name}A.weight", torch.zeros(4, 64))
    change(adapter, f"{name}B.weight", torch.zeros(64, 4))
    message = refusal(base, adapter)
    assert "'model.layers.7.self_attn.q_proj' has no matrix in this model" in message


def test_a_norm_is_no_matrix(base, adapter):
    change(adapter, f"{PREFIX}model.norm.lora_A.weight", torch.zeros(4, 64))
    change(adapter, f"{PREFIX}model.norm.lora_B.weight", torch.zeros(64, 4))
    assert "'model.norm' has no matrix in this model" in refusal(base, adapter)


def test_tensors_of_other_kinds_are_refused_by_name(base, adapter):
    change(adapter, f"{Q}magnitude_vector.default.weight", torch.zeros(64))
    assert "is no part of a LoRA adapter" in refusal(base, adapter, UnsupportedModelError)


def test_a_tied_embedding_is_refused(tmp_path):
    model = make_model()
    model.save_pretrained(tmp_path / "base")
    adapter = Adapter(("embed_tokens",)).save(tmp_path / "a", model)
    message = refusal((tmp_path / "base", model), adapter, UnsupportedModelError)
    assert "embedding and output at once" in message


def test_what_is_no_adapter(base, tmp_path):
    assert "does not exist" in refusal(base, tmp_path / "none", ModelNotFoundError)
    (tmp_path / "empty").mkdir()
    assert "is no adapter" in refusal(base, tmp_path / "empty", ModelNotFoundError)
    adapter = Adapter().save(tmp_path / "a", base[1])
    (adapter / WEIGHTS).rename(adapter / "adapter_model.bin")
    assert WEIGHTS in refusal(base, adapter, UnsupportedModelError)


def test_a_model_is_no_adapter(base, tmp_path):
    path = write_model(tmp_path / "m.gguf", base[1], "F32")
    assert "must be 'adapter' and 'lora'" in refusal(base, path, UnsupportedModelError)


def test_damaged_files(base, adapter):
    data = (adapter / WEIGHTS).read_bytes()
    (adapter / WEIGHTS).write_bytes(data[:-100])
    assert "damaged or cut short" in refusal(base, adapter)


def test_merging_is_the_same_everywhere(base, adapter):
    """Its bits: term by term, whatever a machine's own library would do."""
    backends = [
        load_folder(base[0], adapters=chosen(adapter), threads=threads) for threads in (1, 3)
    ]
    assert isinstance(backends[0], NativeBackend)
    np.testing.assert_array_equal(*map(logits_of, backends))
