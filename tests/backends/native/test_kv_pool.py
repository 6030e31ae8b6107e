"""The KV pool: its size, its blocks' length, how it keeps values, and when it takes memory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from support.backend_contract import Piece, run
from support.kernel_bench import ISAS, bits
from support.llama_files import make_model, write_model

from foretell.backends.native import kv_pool
from foretell.backends.native.options import KVDtype
from foretell.errors import ConfigError

POSITIONS = 640
CHUNKS = (250, 30, 1, 227, 6, 126)
BLOCK_BYTES = 16 * 2 * 2 * 2 * 16 * 2  # positions, layers, keys and values, heads, dim, bytes


@pytest.fixture(scope="module")
def long_model_path(tmp_path_factory):
    """A random model whose context spans several chunks of a partial softmax."""
    model = make_model(max_position_embeddings=POSITIONS)
    return write_model(tmp_path_factory.mktemp("long") / "long.gguf", model, "Q8_0")


@pytest.fixture(scope="module")
def ids():
    return np.random.default_rng(5).integers(0, 160, POSITIONS).tolist()


def in_chunks(backend, ids, sizes=CHUNKS):
    """Logits of all positions, their blocks in a random order."""
    block_size = backend.info.block_size
    table = np.random.default_rng(0).permutation(-(-POSITIONS // block_size)).tolist()
    starts = np.cumsum([0, *sizes])[:-1]
    pieces = [
        Piece(ids[at : at + size], table, int(at)) for at, size in zip(starts, sizes, strict=True)
    ]
    return np.concatenate([run(backend, piece) for piece in pieces])


@pytest.fixture(scope="module", params=["float16", "q8"])
def kv_dtype(request):
    return request.param


@pytest.fixture(scope="module")
def expected(long_model_path, ids, kv_dtype):
    """Bits of the logits of each token, computed alone."""
    from foretell.backends.native.backend import NativeBackend
    from foretell.formats.gguf import GGUFFile

    with GGUFFile.open(long_model_path) as file:
        backend = NativeBackend.load(file, threads=1, kv_dtype=kv_dtype)
    return bits(in_chunks(backend, ids, (1,) * POSITIONS))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_long_chunks_give_what_tokens_get_alone(
    load, long_model_path, ids, kv_dtype, expected, isa, threads
):
    result = in_chunks(load(long_model_path, isa, threads=threads, kv_dtype=kv_dtype), ids)
    np.testing.assert_array_equal(bits(result), expected)


@pytest.mark.parametrize("sizes", [(1,) * POSITIONS, (400, *(3,) * 80)], ids=["1", "3"])
@pytest.mark.parametrize("threads", [2, 3, 5])
def test_threads_that_share_the_chunks_of_few_tokens_change_nothing(
    load, long_model_path, ids, kv_dtype, expected, sizes, threads
):
    result = in_chunks(load(long_model_path, threads=threads, kv_dtype=kv_dtype), ids, sizes)
    np.testing.assert_array_equal(bits(result), expected)


@pytest.mark.parametrize("block_size", [32, 48, 64, 256])
def test_logits_do_not_depend_on_the_length_of_a_block(
    load, long_model_path, ids, kv_dtype, expected, block_size
):
    backend = load(long_model_path, threads=2, block_size=block_size, kv_dtype=kv_dtype)
    assert (backend.info.block_size, backend.info.num_blocks) == (block_size, 8192 // block_size)
    np.testing.assert_array_equal(bits(in_chunks(backend, ids)), expected)


@pytest.mark.parametrize("every_dtype", get_args(KVDtype))
@pytest.mark.parametrize("block_size", [16, 48])
def test_a_copied_block_is_the_whole_of_it(load, long_model_path, ids, every_dtype, block_size):
    backend = load(long_model_path, threads=1, kv_dtype=every_dtype, block_size=block_size)
    length = 3 * block_size
    run(backend, Piece(ids[:length], [4, 2, 7]))
    expected = bits(run(backend, Piece(ids[length : length + 5], [4, 2, 7, 1], length)))
    backend.copy_blocks([(4, 9), (2, 3), (7, 8)])
    run(backend, Piece(ids[200 : 200 + length], [4, 2, 7]))
    copied = bits(run(backend, Piece(ids[length : length + 5], [9, 3, 8, 0], length)))
    np.testing.assert_array_equal(copied, expected)


@pytest.mark.parametrize(
    ("kv_dtype", "unit"), [("float16", 2.0**-11), ("bfloat16", 2.0**-8), ("q8", 2.0**-7)]
)
def test_a_smaller_cache_errs_by_its_rounding(load, long_model_path, ids, kv_dtype, unit):
    """Errors of rounding once, grown by what two layers of this random model make of them."""
    ways = {"activations": "float32", "threads": 2}
    exact = in_chunks(load(long_model_path, kv_dtype="float32", **ways), ids)
    rounded = in_chunks(load(long_model_path, kv_dtype=kv_dtype, **ways), ids)
    error = np.sqrt(((rounded - exact) ** 2).mean()) / exact.std()
    assert unit / 20 < error < 2 * unit


def test_bytes_of_a_position(load, tiny_model_path):
    sizes = {
        kv_dtype: load(tiny_model_path, kv_dtype=kv_dtype).info.kv_bytes_per_token
        for kv_dtype in ("float16", "bfloat16", "float32", "q8")
    }
    assert sizes == {"float16": 256, "bfloat16": 256, "float32": 512, "q8": 144}


@pytest.mark.parametrize(
    ("settings", "blocks"),
    [
        ({"kv_share": 0.5}, 500),
        ({"kv_share": 0.95}, 950),
        ({"kv_share": 0.5, "kv_dtype": "float32"}, 250),
        ({"kv_share": 0.5, "kv_dtype": "q8"}, 888),
        ({"kv_share": 0.5, "block_size": 64}, 125),
        ({"kv_share": 0.001}, 1),
    ],
    ids=str,
)
def test_a_share_of_the_available_memory(monkeypatch, load, tiny_model_path, settings, blocks):
    monkeypatch.setattr(kv_pool, "available_memory", lambda: 1000 * BLOCK_BYTES + 1)
    assert load(tiny_model_path, **settings).info.num_blocks == blocks


@pytest.mark.parametrize(
    ("available", "settings", "least", "most"),
    [
        (20_000, {}, 9_950, 10_000),  # half of what the weights leave
        (20_000, {"kv_dtype": "q8"}, 17_688, 17_777),
        (0, {}, 256, 256),  # 4,096 positions
        (0, {"context_length": 100}, 7, 7),
        (20_000, {"context_length": 2**18}, 16_384, 16_384),  # as stated
        (10**6, {"context_length": 2**16}, 8_192, 8_192),  # two contexts
        (20_000, {"num_blocks": 30_000}, 30_000, 30_000),
        (None, {}, 131_072, 131_072),
    ],
    ids=str,
)
def test_a_long_context_takes_the_memory_that_there_is(
    monkeypatch, load, tmp_path, available, settings, least, most
):
    model = make_model(max_position_embeddings=2**20)
    path = write_model(tmp_path / "long.gguf", model, "Q8_0")
    given = None if available is None else available * BLOCK_BYTES
    monkeypatch.setattr(kv_pool, "available_memory", lambda: given)
    info = load(path, **settings).info
    assert least <= info.num_blocks <= most
    assert info.context_length == settings.get("context_length", 2**20)


def test_a_pool_that_the_user_did_not_state(monkeypatch, load, tiny_model_path):
    monkeypatch.setattr(kv_pool, "MAX_POOL_BYTES", 0)
    with pytest.raises(ConfigError) as caught:
        load(tiny_model_path)
    message = str(caught.value)
    assert message.startswith(f"a KV cache for 8192 positions of {tiny_model_path} takes 0.0 GB, ")
    assert message.endswith(": try context_length=2048 (in the shell --context-length 2048)")


def test_short_contexts_leave_room_for_beams(load, tiny_model_path):
    settings = {"context_length": 64, "block_size": 16}
    assert load(tiny_model_path, **settings).info.num_blocks == 512
    assert load(tiny_model_path, **settings, num_blocks=8).info.num_blocks == 8


def test_a_share_too_small_for_a_block(monkeypatch, load, tiny_model_path):
    monkeypatch.setattr(kv_pool, "available_memory", lambda: 5 * BLOCK_BYTES)
    with pytest.raises(ConfigError) as caught:
        load(tiny_model_path, kv_share=0.1)
    assert str(caught.value) == (
        "kv_share=0.1 of 2.05e-05 GB available is less than one KV block of 4096 bytes: "
        "give a larger share"
    )


def test_a_share_of_an_unknown_amount(monkeypatch, load, tiny_model_path):
    monkeypatch.setattr(kv_pool, "available_memory", lambda: None)
    with pytest.raises(ConfigError, match="does not tell how much memory is available"):
        load(tiny_model_path, kv_share=0.5)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_pool_takes_memory_only_where_it_is_written(load, tiny_model_path):
    """A gigabyte of blocks, of which two are written: a huge page each at most."""
    before = _resident_bytes()
    backend = load(tiny_model_path, threads=1, num_blocks=2**30 // BLOCK_BYTES)
    run(backend, Piece([1] * 20, [2**30 // BLOCK_BYTES - 1, 7]))
    assert _resident_bytes() - before < 2**28


def _resident_bytes():
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
