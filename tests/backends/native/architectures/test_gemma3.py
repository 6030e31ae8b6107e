"""Gemma 3 against transformers: tiny random models, and the real 270M with the same weights."""

from __future__ import annotations

import inspect
import textwrap
from typing import ClassVar

import numpy as np
import pytest
import torch
from support.backend_contract import Piece, run
from support.family_contract import FamilyContract
from support.family_files import GEMMA3, read_family
from support.kernel_bench import ISAS, bits
from support.llama_files import reference_logits
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

from foretell.formats.gguf import GGUFFile
from foretell.text.tokenizer import Tokenizer

POSITIONS, GREEDY, SHARED = 80, 12, 24
TABLE = list(range(10))
CONFIG = Gemma3TextConfig(
    vocab_size=262_144,
    hidden_size=640,
    intermediate_size=2048,
    num_hidden_layers=18,
    num_attention_heads=4,
    num_key_value_heads=1,
    head_dim=256,
    query_pre_attn_scalar=256,
    sliding_window=512,
    max_position_embeddings=32_768,
    rope_parameters={
        "full_attention": {"rope_type": "default", "rope_theta": 1_000_000.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
    },
)


class TestGemma3(FamilyContract):
    family = GEMMA3
    models: ClassVar = {
        "tiny": {},
        "other bases": {
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 500_000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 3_000.0},
            },
            "num_key_value_heads": 1,
            "head_dim": 64,
            "query_pre_attn_scalar": 64,
            "seed": 2,
        },
    }
    only_folders: ClassVar = {
        "scale of its own": {"query_pre_attn_scalar": 50, "seed": 7},
        "layers of its own": {
            "num_hidden_layers": 3,
            "layer_types": ["full_attention", "sliding_attention", "full_attention"],
            "tie_word_embeddings": False,
            "seed": 8,
        },
    }


@pytest.fixture(scope="module")
def reference(gemma_model_path):
    return read_family(gemma_model_path, GEMMA3, Gemma3ForCausalLM, CONFIG)


@pytest.fixture(scope="module")
def ids(gemma_model_path):
    with GGUFFile.open(gemma_model_path) as file:
        tokenizer = Tokenizer.from_gguf(file.metadata, source=str(gemma_model_path))
    return tokenizer.encode(inspect.getsource(textwrap))[:POSITIONS]


def test_float32_activations(load, gemma_model_path, reference, ids):
    backend = load(
        gemma_model_path, activations="float32", kv_dtype="float32", num_blocks=len(TABLE)
    )
    logits = run(backend, Piece(ids, TABLE))
    expected = reference_logits(reference, ids)
    assert expected.std() > 3
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)
    chosen = list(ids)
    for at in range(POSITIONS, POSITIONS + GREEDY):
        chosen.append(int(logits[-1].argmax()))
        logits = run(backend, Piece(chosen[at:], TABLE, at))
    given = reference_logits(reference, chosen)[POSITIONS - 1 : -1].argmax(axis=1)
    assert chosen[POSITIONS:] == given.tolist()


def test_the_fast_way_is_near_and_the_same_everywhere(load, gemma_model_path, reference, ids):
    ids = ids[:SHARED]
    expected = run(load(gemma_model_path, threads=1, num_blocks=8), Piece(ids, TABLE[:8]))
    for isa in [isa for isa in ISAS if isa != "plain"]:
        backend = load(gemma_model_path, isa, threads=2, num_blocks=8)
        pieces = [Piece(ids[:9], TABLE[:8]), Piece(ids[9:], TABLE[:8], 9)]
        result = np.concatenate([run(backend, piece) for piece in pieces])
        np.testing.assert_array_equal(bits(result), bits(expected), isa)
    wanted, given = (
        torch.from_numpy(np.array(logits)).double().log_softmax(-1)
        for logits in (reference_logits(reference, ids), expected)
    )
    assert 0 < float((wanted.exp() * (wanted - given)).sum(-1).mean()) < 0.01
