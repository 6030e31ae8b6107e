"""A native model beside transformers' with the same weights: logits, and greedy tokens."""

from __future__ import annotations

import numpy as np

from support.backend_contract import Piece, run
from support.llama_files import reference_logits

EXACT = {"activations": "float32", "kv_dtype": "float32", "threads": 1}
PROMPT, DECODED, GREEDY = 40, 20, 32


def some_ids(model, count):
    return np.random.default_rng(9).integers(0, model.config.vocab_size, count).tolist()


def prefill_and_decode(backend, ids, prompt):
    """Logits of all positions: `prompt` of them at once, the rest one by one."""
    table = list(range(8, 0, -1))
    pieces = [Piece(ids[:prompt], table)]
    pieces += [Piece([ids[at]], table, at) for at in range(prompt, len(ids))]
    return np.concatenate([run(backend, piece) for piece in pieces])


def greedy(backend, ids, count):
    ids, start = list(ids), 0
    for _ in range(count):
        logits = run(backend, Piece(ids[start:], list(range(8)), start))
        start = len(ids)
        ids.append(int(logits[-1].argmax()))
    return ids


def assert_like_the_reference(backend, model):
    ids = some_ids(model, PROMPT + DECODED)
    logits = prefill_and_decode(backend, ids, PROMPT)
    expected = reference_logits(model, ids)
    assert expected.std() > 0.5
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)
    chosen = greedy(backend, ids[:7], GREEDY)
    given = reference_logits(model, chosen)[6:-1].argmax(axis=1)
    assert chosen[7:] == given.tolist()
