"""What every family must hold to: tiny random models of it, beside transformers'.

    class TestLlama(FamilyContract):
        family = LLAMA
        models: ClassVar = {"tied": {"tie_word_embeddings": True}}

Its logits must be transformers', from a file and from a folder, and have the same bits from both
(unless their rows lie in another order), on every instruction set, for any number of threads and
however the prompt is cut.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from foretell.backends.native.backend import NativeBackend
from foretell.formats.checkpoint import Checkpoint
from support.family_files import Family, make_family, write_family
from support.kernel_bench import ISAS, bits
from support.reference_model import EXACT, assert_like_the_reference, prefill_and_decode, some_ids


class FamilyContract:
    """The tests. A class inherits them, and says which models are made.

    Attributes:
        family: how they are made.
        models: their sizes, by a name; what is not given is as `family` makes it.
        only_folders: sizes of more models, which a GGUF file could not tell of.
    """

    family: ClassVar[Family]
    models: ClassVar[dict[str, dict[str, Any]]] = {"tiny": {}}
    only_folders: ClassVar[dict[str, dict[str, Any]]] = {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test with each model that it can read."""
        if "model" in metafunc.fixturenames:
            more = self.only_folders if metafunc.function.__name__ == "test_folders" else {}
            metafunc.parametrize("model", [*self.models, *more], indirect=True)

    @pytest.fixture
    def model(self, request):
        return make_once(type(self), request.param)

    def test_folders(self, model, tmp_path):
        assert_like_the_reference(load_folder(save(tmp_path, model), **EXACT), model)

    @pytest.mark.parametrize("isa", ISAS)
    def test_files(self, model, load, tmp_path, isa):
        path = write_family(tmp_path / "m.gguf", self.family, model)
        assert_like_the_reference(load(path, isa, **EXACT), model)

    def test_files_and_folders_agree(self, model, load, tmp_path):
        path = write_family(tmp_path / "m.gguf", self.family, model)
        ids = some_ids(model, 30)
        settings = EXACT if self.family.interleaved else {"activations": "float32"}
        results = [
            prefill_and_decode(backend, ids, 25)
            for backend in (
                load(path, **settings),
                load_folder(save(tmp_path / "folder", model), **settings),
            )
        ]
        np.testing.assert_allclose(results[0], results[1], rtol=0, atol=1e-4)
        if not self.family.interleaved:
            np.testing.assert_array_equal(bits(results[0]), bits(results[1]))

    def test_the_same_bits_on_every_instruction_set_team_and_chunk(self, model, load, tmp_path):
        whole_groups = all(size % 32 == 0 for size in widths(model))
        kind = "Q8_0" if whole_groups else "F16"
        path = write_family(tmp_path / "m.gguf", self.family, model, kind)
        ids = some_ids(model, 40)
        expected = prefill_and_decode(load(path, ISAS[0], threads=1), ids, len(ids))
        ways = [(isa, threads, prompt) for isa in ISAS for threads, prompt in ((1, 1), (2, 25))]
        for isa, threads, prompt in [*ways, (ISAS[0], 3, 22)]:
            result = prefill_and_decode(load(path, isa, threads=threads), ids, prompt)
            np.testing.assert_array_equal(bits(result), bits(expected), f"{isa} {threads} {prompt}")


@cache
def make_once(contract: type[FamilyContract], name: str) -> Any:
    """The model of this name; tests share it."""
    return make_family(contract.family, **(contract.models | contract.only_folders)[name])


def save(folder: Path, model: Any) -> Path:
    """The folder, with the model in it."""
    model.save_pretrained(folder)
    return folder


def load_folder(folder: Path, **settings: Any) -> NativeBackend:
    """The native backend of a checkpoint."""
    with Checkpoint.open(folder) as checkpoint:
        return NativeBackend.load(checkpoint, **settings)


def widths(model: Any) -> list[int]:
    """What rows of its matrices may be long."""
    return [size for weight in model.parameters() if weight.ndim == 2 for size in weight.shape[1:]]
