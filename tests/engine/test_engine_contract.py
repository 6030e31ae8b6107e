"""The engine on each backend."""

from __future__ import annotations

import pytest
from support.engine_contract import EngineContract

from foretell.backends.native.backend import NativeBackend
from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.formats.gguf import GGUFFile

VOCAB = 50


class TestScripted(EngineContract):
    @pytest.fixture(params=[4, 5])
    def backend(self, request):
        return ScriptedBackend(improvise(VOCAB), vocab_size=VOCAB, block_size=request.param)


@pytest.fixture(scope="module")
def tiny_path(tmp_path_factory):
    """A random two-layer Llama in Q8_0."""
    from support.llama_files import make_model, write_model

    return write_model(tmp_path_factory.mktemp("contract") / "tiny.gguf", make_model(), "Q8_0")


class TestNative(EngineContract):
    @pytest.fixture(params=["float16", "float32"])
    def backend(self, request, tiny_path):
        with GGUFFile.open(tiny_path) as file:
            return NativeBackend.load(file, threads=2, kv_dtype=request.param)
