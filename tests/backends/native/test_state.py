"""Models with a recurrent state: it lies in the KV blocks, and goes where they go."""

from __future__ import annotations

import pytest
from support.backend_contract import BackendContract, Piece, run, some_tokens
from support.family_files import make_family, write_family
from support.kernel_bench import ISAS
from support.state_families import MAMBA, RECURRENT, write_recurrent


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """A tiny random model of each family, as a file."""
    return write_recurrent(tmp_path_factory.mktemp("state"))


@pytest.fixture(params=RECURRENT)
def path(request, paths):
    return paths[request.param]


class TestState(BackendContract):
    @pytest.fixture(params=[(ISAS[0], 1), (ISAS[0], 3), ("plain", 2)], ids=str)
    def backend(self, request, load, path):
        isa, threads = request.param
        return load(path, isa, threads=threads, num_blocks=16)


class TestStateLargeBlocks(BackendContract):
    @pytest.fixture
    def backend(self, load, path):
        return load(path, threads=2, num_blocks=16, block_size=48)


def test_going_back_within_a_block_is_refused(load, path):
    backend = load(path, num_blocks=16)
    tokens = some_tokens(backend, 20)
    whole = run(backend, Piece(tokens, [0, 1]))
    assert not backend.info.can_go_back
    for start in (19, 17, 5):
        with pytest.raises(ValueError, match="holds the state after another position"):
            run(backend, Piece(tokens[start:], [0, 1], start))
    assert run(backend, Piece(tokens[16:], [0, 1], 16)).tobytes() == whole[16:].tobytes()


def test_a_block_that_was_never_written_has_no_state(load, path):
    backend = load(path, num_blocks=16)
    with pytest.raises(ValueError, match="holds the state after another position"):
        run(backend, Piece([1, 2], [3], 4))


def test_blocks_are_larger_where_states_are(load, paths, tmp_path):
    sizes = {name: load(path).info for name, path in paths.items()}
    assert {name: info.block_size for name, info in sizes.items()} == dict.fromkeys(sizes, 16)
    channels = 2 * 64  # of two layers, each with three inputs and 16 components a channel
    assert sizes["mamba"].state_bytes == 4 * 2 * channels * (3 + 16)
    assert sizes["mamba"].kv_bytes_per_token == 0
    model = make_family(MAMBA, hidden_size=512, state_size=256)
    info = load(write_family(tmp_path / "large.gguf", MAMBA, model)).info
    assert info.state_bytes == 4 * 2 * 1024 * (3 + 256)
    assert info.block_size == 256
    assert info.state_bytes / info.block_size <= 2**14 < info.state_bytes / (info.block_size / 2)


def test_layers_without_attention_have_no_keys_and_values(load, paths):
    info = load(paths["lfm2"]).info
    heads, dim, layers, halves = 2, 16, 2, 2
    assert info.kv_bytes_per_token == layers * heads * dim * 2 * halves
    assert info.state_bytes == 4 * 2 * 64 * 2
