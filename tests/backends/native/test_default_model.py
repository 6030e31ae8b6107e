"""The default model against transformers' float32 model with the same weights, on real text."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass

import numpy as np
import pytest
from support.backend_contract import Piece, batch_of, run
from support.kernel_bench import ISAS, bits
from support.llama_files import reference_logits

from foretell.formats.gguf import GGUFFile
from foretell.text.tokenizer import Tokenizer

POSITIONS = 512
EXACT_POSITIONS = 200
SHARED_POSITIONS = 100  # of which every way of computing must give the same bits
PLAIN_POSITIONS = 6
GREEDY = 64
BLOCKS = {"num_blocks": 128}
TABLE = list(range(POSITIONS // 16 + 1))


@dataclass(frozen=True)
class RealText:
    """The start of a text: ids, and the reference's logits after each."""

    ids: list[int]
    logits: np.ndarray


@pytest.fixture(scope="module")
def tokenizer(default_model_path):
    with GGUFFile.open(default_model_path) as file:
        return Tokenizer.from_gguf(file.metadata, source=str(default_model_path))


@pytest.fixture(scope="module")
def real_text(reference_model, tokenizer):
    ids = tokenizer.encode(inspect.getsource(textwrap))[:POSITIONS]
    return RealText(ids, reference_logits(reference_model, ids))


@pytest.fixture(scope="module")
def expected(default_model_path, real_text):
    """Bits of the first logits, computed at once by one thread."""
    backend = _load(default_model_path, threads=1)
    return bits(run(backend, Piece(real_text.ids[:SHARED_POSITIONS], TABLE)))


@pytest.fixture
def load_default(load, default_model_path):
    return lambda isa=None, **settings: load(default_model_path, isa, **BLOCKS, **settings)


def _load(path, **settings):
    from foretell.backends.native.backend import NativeBackend

    with GGUFFile.open(path) as file:
        return NativeBackend.load(file, **BLOCKS, **settings)


def log_softmax(logits):
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def divergence(logits, given):
    """KL(reference || given) of each row, in nats."""
    rows = []
    for one, other in zip(logits, given, strict=True):
        log_p = log_softmax(one)
        rows.append(np.exp(log_p) @ (log_p - log_softmax(other)))
    return np.array(rows)


def in_chunks(backend, ids, size):
    pieces = [Piece(ids[at : at + size], TABLE, at) for at in range(0, len(ids), size)]
    return np.concatenate([run(backend, piece) for piece in pieces])


def greedy(backend, ids, count):
    ids, start = list(ids), 0
    for _ in range(count):
        batch = batch_of([Piece(ids[start:], TABLE, start)])
        start = len(ids)
        ids.append(int(backend.forward(batch)[-1].argmax()))
    return ids


def test_the_reference_understands_the_text(real_text):
    """Or the two might agree on nonsense: e.g. both with a wrong order of rotated pairs."""
    log_p = log_softmax(real_text.logits[:-1])
    surprise = -log_p[np.arange(len(log_p)), real_text.ids[1:]]
    assert surprise.mean() < 3.5


def test_float32_activations(load_default, real_text, reference_model):
    backend = load_default(activations="float32", kv_dtype="float32")
    logits = run(backend, Piece(real_text.ids[:EXACT_POSITIONS], TABLE))
    assert np.abs(logits - real_text.logits[:EXACT_POSITIONS]).max() <= 5e-3
    chosen = greedy(backend, real_text.ids[:20], GREEDY)
    given = reference_logits(reference_model, chosen)[19:-1].argmax(axis=1)
    assert chosen[20:] == given.tolist()


def test_int8_activations(load_default, real_text):
    logits = run(load_default(), Piece(real_text.ids, TABLE))
    assert divergence(real_text.logits, logits).mean() <= 0.0035
    agreement = (logits.argmax(axis=1) == real_text.logits.argmax(axis=1)).mean()
    assert agreement >= 0.95


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("chunk", [1, 16, 512])
def test_chunks_and_threads_change_nothing(load_default, real_text, expected, chunk, threads):
    ids = real_text.ids[:SHARED_POSITIONS]
    result = in_chunks(load_default(threads=threads), ids, chunk)
    np.testing.assert_array_equal(bits(result), expected)


@pytest.mark.parametrize("isa", ISAS)
def test_instruction_sets_change_nothing(load_default, real_text, expected, isa):
    count = PLAIN_POSITIONS if isa == "plain" else SHARED_POSITIONS
    result = in_chunks(load_default(isa), real_text.ids[:count], 64)
    np.testing.assert_array_equal(bits(result), expected[:count])


def test_company_changes_nothing(load_default, real_text, expected):
    """Prefilled and decoded beside seven other sequences, at other positions."""
    ids, backend = real_text.ids[:SHARED_POSITIONS], load_default()
    split = SHARED_POSITIONS - 4
    tables = [[8 * place + at for at in range(8)] for place in range(8)]
    others = [
        Piece(real_text.ids[100 + 3 * place : 110 + 8 * place], tables[place], wants=False)
        for place in range(7)
    ]
    rows = [run(backend, *others[:3], Piece(ids[:split], tables[7]), *others[3:])]
    for step in range(4):
        decoded = [
            Piece([step], piece.blocks, len(piece.tokens) + step, wants=False) for piece in others
        ]
        mine = Piece([ids[split + step]], tables[7], split + step)
        rows.append(run(backend, *decoded[:5], mine, *decoded[5:]))
    np.testing.assert_array_equal(bits(np.concatenate(rows)), expected)
