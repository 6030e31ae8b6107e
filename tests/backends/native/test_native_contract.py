"""The native backend under the contract that every backend must hold to."""

from __future__ import annotations

import pytest
from support.backend_contract import BackendContract
from support.kernel_bench import ISAS

WAYS = [(isa, threads) for isa in ISAS for threads in (1, 3)]


class TestNative(BackendContract):
    @pytest.fixture(params=WAYS, ids=lambda way: f"{way[0]}-{way[1]}")
    def backend(self, request, load, tiny_model_path):
        isa, threads = request.param
        return load(tiny_model_path, isa, threads=threads)


class TestNativeFloat32(BackendContract):
    @pytest.fixture
    def backend(self, load, tiny_model_path):
        return load(tiny_model_path, threads=1, activations="float32", kv_dtype="float32")


@pytest.mark.parametrize("block_size", [32, 48, 64])
class TestNativeLargeBlocks(BackendContract):
    @pytest.fixture
    def backend(self, load, tiny_model_path, block_size):
        return load(tiny_model_path, threads=2, num_blocks=16, block_size=block_size)


class TestNativeBfloat16(BackendContract):
    @pytest.fixture
    def backend(self, load, tiny_model_path):
        return load(tiny_model_path, threads=2, kv_dtype="bfloat16")
