"""The transformers backend against the models themselves, and `generate`."""

from __future__ import annotations

import importlib
import json
import re
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.backend_contract import BackendContract, Piece, run, some_tokens
from support.engine_contract import EngineContract
from support.states import assert_states_like_the_reference
from support.tiny_models import (
    CONTEXT,
    DEVICE,
    FAMILIES,
    GROUPED,
    UNFIT,
    VOCAB,
    make_tiny,
    tiny,
)
from transformers import LlamaForCausalLM, T5Config, T5ForConditionalGeneration
from transformers.utils import logging as transformers_logging

from foretell.backends.transformers import checks
from foretell.backends.transformers.backend import TransformersBackend
from foretell.config import GenerationConfig
from foretell.engine.engine import Engine
from foretell.engine.request import Request
from foretell.errors import (
    ConfigError,
    ForetellError,
    ModelFileError,
    ModelNotFoundError,
    UnsupportedModelError,
)

SMALL = {"block_size": 4, "max_batch_tokens": 40}
PROMPTS = (1, 5, 33, 17, 2, 60)
NEW_TOKENS = 32


class TestEngine(EngineContract):
    tolerance = 1e-5

    @pytest.fixture
    def backend(self):
        return TransformersBackend(tiny("gpt2"), context_length=64, block_size=8)


class TestGPT2(BackendContract):
    tolerance = 1e-5  # torch adds in another order for another shape

    @pytest.fixture
    def backend(self):
        return TransformersBackend(tiny("gpt2"), **SMALL)


class TestLlama(BackendContract):
    tolerance = 1e-6  # computed in float64, and rounded to float32

    @pytest.fixture
    def backend(self):
        return TransformersBackend(tiny("llama").double(), **SMALL)


class TestWithoutPositions(BackendContract):
    tolerance = 1e-5

    @pytest.fixture
    def backend(self):
        return TransformersBackend(tiny("bart's decoder, positions by count"), **SMALL)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Models as small as these are slower with more."""
    number = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(number)


@pytest.fixture(scope="module", params=FAMILIES)
def model(request):
    return tiny(request.param)


def prompts_for(model):
    return [np.random.default_rng(length).integers(3, VOCAB, length).tolist() for length in PROMPTS]


def run_engine(backend, prompts, count=NEW_TOKENS):
    """Greedy tokens of all prompts, run together."""
    engine = Engine(backend)
    config = GenerationConfig(max_new_tokens=count)
    found = {engine.add(Request(prompt, config)): [] for prompt in prompts}
    while engine.has_work:
        for event in engine.step():
            found[event.request_id].append(event.token_id)
    return [*found.values()]


def generate(model, prompt, count=NEW_TOKENS):
    """The model's own greedy tokens."""
    ids = torch.tensor([prompt], device=model.device)
    mask = torch.ones_like(ids)
    whole = model.generate(ids, attention_mask=mask, max_new_tokens=count, do_sample=False)
    return whole[0, len(prompt) :].tolist()


def test_greedy_tokens_are_those_of_generate(model):
    prompts = prompts_for(model)
    found = run_engine(TransformersBackend(model, **SMALL), prompts)
    assert len({tuple(tokens) for tokens in found}) > 1
    assert found == [generate(model, prompt) for prompt in prompts]


def test_logits_are_the_models_own(model):
    """A prompt in chunks, then one token at a time beside shorter and longer sequences."""
    backend = TransformersBackend(model, **SMALL)
    ids = some_tokens(backend, 45)
    table, others = list(range(12)), [(3, [20]), (14, [21, 22, 23, 24]), (1, [25])]
    rows = [run(backend, Piece(ids[at : at + 10], table, at)) for at in range(0, 30, 10)]
    for length, blocks in others:
        run(backend, Piece(ids[:length], blocks))
    for at in range(30, 45):
        pieces = [Piece([ids[length]], blocks, length) for length, blocks in others]
        rows.append(run(backend, *pieces, Piece([ids[at]], table, at))[-1:])
    with torch.inference_mode():
        given = torch.tensor([ids], device=model.device)
        expected = model(given, use_cache=False).logits[0].cpu().numpy()
    assert expected.std() > 0.1
    np.testing.assert_allclose(np.concatenate(rows), expected, rtol=0, atol=2e-5)


def test_blocks_come_into_use_in_any_order():
    backend = TransformersBackend(tiny("llama"), num_blocks=10**7)
    run(backend, Piece([1, 2], [3]))
    tokens = some_tokens(backend, 17)
    expected = run(backend, Piece(tokens, [40, 5]))[16:]
    backend.copy_blocks([(40, 900)])
    found = run(backend, Piece(tokens[16:], [900, 2000], 16))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_info_says_what_runs_and_what_it_takes():
    model = tiny("llama")
    info = TransformersBackend(model, context_length=100).info
    assert info.name == "transformers"
    assert info.description == f"LlamaForCausalLM, float32, {model.device}"
    assert (info.vocab_size, info.context_length, info.block_size) == (VOCAB, 100, 16)
    assert info.num_blocks == 512  # 14 would be two contexts
    assert info.kv_bytes_per_token == 2 * 3 * 2 * 8 * 4  # k and v, layers, heads, dim, float32
    assert info.weight_bytes == 4 * model.num_parameters()


def test_bfloat16_answers_in_float32():
    logits = run(TransformersBackend(tiny("llama").bfloat16(), **SMALL), Piece([1, 2, 3], [0]))
    assert logits.dtype == np.float32
    reference = run(TransformersBackend(tiny("llama"), **SMALL), Piece([1, 2, 3], [0]))
    np.testing.assert_allclose(logits, reference, rtol=0, atol=0.05 * np.abs(reference).max())


@pytest.mark.parametrize("name", UNFIT)
def test_a_model_without_keys_and_values_is_refused(name):
    kind, settings, reason = UNFIT[name]
    model = make_tiny(kind, settings)
    with pytest.raises(UnsupportedModelError, match=f"{type(model).__name__} {re.escape(reason)}"):
        TransformersBackend(model, context_length=64)


def test_an_encoder_is_refused():
    config = T5Config(vocab_size=VOCAB, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    with pytest.raises(UnsupportedModelError, match="T5ForConditionalGeneration has an encoder"):
        TransformersBackend(T5ForConditionalGeneration(config).eval())


def test_training_mode_is_refused_whenever_it_comes():
    model = tiny("gpt2")
    backend = TransformersBackend(model, **SMALL)
    model.train()
    for action in (lambda: TransformersBackend(model), lambda: run(backend, Piece([1], [0]))):
        with pytest.raises(ConfigError, match=r"GPT2LMHeadModel is in training mode, .*eval\(\)"):
            action()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"context_length": CONTEXT + 1}, f"context_length=129 must be .* 1 to {CONTEXT}"),
        ({"context_length": 0}, "context_length=0 must be an integer ≥ 1"),
        ({"num_blocks": 0}, "num_blocks=0 must be an integer ≥ 1"),
        ({"block_size": True}, "block_size=True must be an integer ≥ 1"),
        ({"max_batch_tokens": 1.5}, "max_batch_tokens=1.5 must be an integer ≥ 1"),
    ],
)
def test_sizes_out_of_range(sizes, message):
    with pytest.raises(ConfigError, match=message):
        TransformersBackend(tiny("llama"), **sizes)


def test_a_model_of_unknown_length_asks_for_one(monkeypatch):
    monkeypatch.setattr(checks, "LENGTH_NAMES", ())
    model = tiny("llama")
    with pytest.raises(ConfigError, match="LlamaForCausalLM does not say how long"):
        TransformersBackend(model)
    assert TransformersBackend(model, context_length=50).info.context_length == 50


def test_positions_without_a_limit_have_a_stated_one():
    kind, settings = FAMILIES["bloom, no positions but alibi"]
    without = {name: value for name, value in settings.items() if name != "seq_length"}
    model = make_tiny(kind, without)
    assert TransformersBackend(model).info.context_length == 2048
    assert TransformersBackend(model, context_length=5000).info.context_length == 5000


def test_longrope_is_kept_where_past_keys_stay_valid():
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10_000.0,
        "original_max_position_embeddings": 48,
        "short_factor": [1.0] * 4,
        "long_factor": [3.0] * 4,
        "factor": 2.0,
    }
    model = make_tiny("LlamaConfig", {**GROUPED, "rope_parameters": rope})
    backend = TransformersBackend(model, **SMALL)
    assert backend.info.context_length == 48
    prompts = [np.random.default_rng(seed).integers(3, VOCAB, 36).tolist() for seed in range(2)]
    expected = [generate(model, prompt, 12) for prompt in prompts]
    assert run_engine(backend, prompts, 12) == expected


@pytest.fixture
def folder(tmp_path):
    tiny("llama").save_pretrained(tmp_path)
    return tmp_path


def test_a_folder_runs_as_the_model_that_it_holds(folder):
    tokens = Piece([5, 6, 7], [0])
    expected = run(TransformersBackend(tiny("llama"), **SMALL), tokens)
    loaded = TransformersBackend.load(str(folder), device=DEVICE, **SMALL)
    np.testing.assert_array_equal(run(loaded, tokens), expected)
    halved = TransformersBackend.load(str(folder), device=DEVICE, dtype="bfloat16", **SMALL)
    assert halved.info.description == f"LlamaForCausalLM, bfloat16, {halved.model.device}"
    assert halved.info.kv_bytes_per_token == loaded.info.kv_bytes_per_token // 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dtype": "int8"}, "dtype='int8' must be one of 'auto', 'float64', 'float32'"),
        ({"device": "abacus"}, r"device='abacus' must be one of \[.*'cpu'\]"),
        ({"device": "meta"}, r"device='meta' is not available here: must be one of \[.*'cpu'\]"),
    ],
)
def test_unknown_dtypes_and_devices(folder, settings, message):
    with pytest.raises(ConfigError, match=message):
        TransformersBackend.load(str(folder), **settings)


def test_a_device_that_is_not_there(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"device='cuda' is not available here: must be"):
        TransformersBackend.load(str(folder), device="cuda")


def test_a_device_that_has_no_room(folder, monkeypatch):
    def fail(model, device):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB.")

    monkeypatch.setattr(LlamaForCausalLM, "to", fail)
    with pytest.raises(ConfigError, match=r"^device='cpu': CUDA out of memory\. Tried"):
        TransformersBackend.load(str(folder), device="cpu")


def drop_a_tensor(folder):
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def narrow_a_tensor(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"] = tensors["model.norm.weight"][:8].clone()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def spoil_a_tensor(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][3] = float("nan")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def truncate(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def leave_a_pickle(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def configure(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def rename_family(folder):
    configure(folder, model_type="abacus")


def ask_for_layers(folder):
    configure(folder, num_hidden_layers=10**9)


def mistype_a_size(folder):
    configure(folder, hidden_size="16")


def save_an_encoder(folder):
    T5Config().save_pretrained(folder)


def empty(folder):
    (folder / "config.json").unlink()


@pytest.mark.parametrize(
    ("damage", "kind", "message"),
    [
        (drop_a_tensor, ModelFileError, "1 tensors are missing.*'model.layers.1.mlp.up_proj"),
        (narrow_a_tensor, ModelFileError, "tensors have other shapes than config.json asks for"),
        (spoil_a_tensor, ModelFileError, "'model.norm.weight' holds NaN or infinite weights"),
        (ask_for_layers, UnsupportedModelError, "num_hidden_layers in config.json is 1000000000"),
        (mistype_a_size, ModelFileError, "cannot load it: .*'hidden_size' expected int, got str"),
        (truncate, ModelFileError, "model=.*: "),
        (leave_a_pickle, ModelNotFoundError, "model.safetensors"),
        (rename_family, UnsupportedModelError, "abacus"),
        (save_an_encoder, UnsupportedModelError, r"architecture 't5' does not continue a text"),
        (empty, ForetellError, "config.json|model_type"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_damaged_folders_are_told_in_one_line(folder, damage, kind, message):
    damage(folder)
    with pytest.raises(kind, match=message) as caught:
        TransformersBackend.load(str(folder), device="cpu")
    assert "\n" not in str(caught.value)


def test_a_context_beyond_all_bounds_is_cut(folder):
    configure(folder, max_position_embeddings=10**12)
    assert TransformersBackend.load(str(folder), device="cpu").info.context_length == 2**24


def test_no_bar_where_nobody_looks(folder, capsys):
    transformers_logging.enable_progress_bar()
    TransformersBackend.load(str(folder), device="cpu")
    assert "Loading weights" not in capsys.readouterr().err
    assert transformers_logging.is_progress_bar_enabled()


def test_without_torch_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "foretell.backends.transformers.backend")
    with pytest.raises(ConfigError, match=r"pip install 'torch>=2\.4' 'transformers>=5\.0'"):
        importlib.import_module("foretell.backends.transformers.backend")


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_states_inside_are_the_models_own(name):
    backend = TransformersBackend(tiny(name), **SMALL)
    ids = np.random.default_rng(3).integers(0, backend.info.vocab_size, 9).tolist()
    assert_states_like_the_reference(backend, tiny(name), ids)
