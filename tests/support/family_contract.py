"""What every family must hold to: tiny random models of it, beside transformers'.

    class TestLlama(FamilyContract):
        family = LLAMA
        models: ClassVar = {"tied": {"tie_word_embeddings": True}}

Its logits must be transformers', from a file and from a folder, and have the same bits from both
(unless their rows lie in another order), on every instruction set, for any number of threads,
however the prompt is cut, and where texts fork.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from foretell.backends.native.backend import NativeBackend
from foretell.formats.checkpoint import Checkpoint
from support.backend_contract import Piece, run
from support.family_files import Family, make_family, write_family
from support.kernel_bench import ISAS, bits
from support.reference_model import EXACT, assert_like_the_reference, prefill_and_decode, some_ids
from support.states import assert_states_like_the_reference


class FolderContract:
    """The tests of a family that GGUF files do not know. A class inherits them.

    Attributes:
        family: how its models are made.
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

    def stored(self, folder: Path, model: Any, *, is_small: bool = False) -> Stored:
        """The model on disk, in 8 bits a weight if it is to be small."""
        return Stored(save(folder, model), {"quantize": "q8"} if is_small else {})

    def test_folders(self, model, tmp_path):
        assert_like_the_reference(load_folder(save(tmp_path, model), **EXACT), model)

    def test_the_same_bits_on_every_instruction_set_team_and_chunk(self, model, load, tmp_path):
        stored = self.stored(tmp_path, model, is_small=are_whole_groups(model))
        ids = some_ids(model, 40)
        first = load(stored.path, ISAS[0], threads=1, **stored.settings)
        expected = prefill_and_decode(first, ids, len(ids))
        ways = [(isa, threads, prompt) for isa in ISAS for threads, prompt in ((1, 1), (2, 25))]
        for isa, threads, prompt in [*ways, (ISAS[0], 3, 22)]:
            backend = load(stored.path, isa, threads=threads, **stored.settings)
            result = prefill_and_decode(backend, ids, prompt)
            np.testing.assert_array_equal(bits(result), bits(expected), f"{isa} {threads} {prompt}")

    def test_forks_go_their_own_ways(self, model, load, tmp_path):
        """As beams do: they share a full block, and copy one that is not."""
        backend = load(self.stored(tmp_path, model).path, threads=1)
        first = some_ids(model, 26)
        second = first[:20] + some_ids(model, 6)
        alone = [prefill_and_decode(backend, ids, 20)[20:] for ids in (first, second)]
        run(backend, Piece(first[:20], [9, 10]))
        backend.copy_blocks([(10, 11)])
        pieces = [Piece(first[20:], [9, 10], 20), Piece(second[20:], [9, 11], 20)]
        np.testing.assert_array_equal(bits(run(backend, *pieces)), bits(np.concatenate(alone)))


class FamilyContract(FolderContract):
    """The tests of a family that GGUF files know too."""

    def stored(self, folder: Path, model: Any, *, is_small: bool = False) -> Stored:
        """The model in a file."""
        kind = "Q8_0" if is_small else "F32"
        return Stored(write_family(folder / "m.gguf", self.family, model, kind), {})

    @pytest.mark.parametrize("isa", ISAS)
    def test_files(self, model, load, tmp_path, isa):
        path = write_family(tmp_path / "m.gguf", self.family, model)
        assert_like_the_reference(load(path, isa, **EXACT), model)

    def test_states_inside(self, model, tmp_path):
        backend = load_folder(save(tmp_path, model), **EXACT)
        assert_states_like_the_reference(backend, model, some_ids(model, 40))

    def test_files_and_folders_agree(self, model, load, tmp_path):
        path = write_family(tmp_path / "m.gguf", self.family, model)
        ids = some_ids(model, 30)
        has_same_bits = not self.family.interleaved and self.family.sums_alike(model.config)
        settings = {"activations": "float32"} if has_same_bits else EXACT
        results = [
            prefill_and_decode(backend, ids, 25)
            for backend in (
                load(path, **settings),
                load_folder(save(tmp_path / "folder", model), **settings),
            )
        ]
        np.testing.assert_allclose(results[0], results[1], rtol=0, atol=1e-4)
        if has_same_bits:
            np.testing.assert_array_equal(bits(results[0]), bits(results[1]))


@dataclass(frozen=True)
class Stored:
    """Where a model is, and with what settings it is to be loaded."""

    path: Path
    settings: dict[str, Any]


@cache
def make_once(contract: type[FamilyContract], name: str) -> Any:
    """The model of this name; tests share it."""
    return make_family(contract.family, **(contract.models | contract.only_folders)[name])


def save(folder: Path, model: Any) -> Path:
    """The folder, with the model in it."""
    model.save_pretrained(folder)
    return folder


def edit_config(folder: Path, *, without: Collection[str] = (), **changes: Any) -> Path:
    """The folder, whose `config.json` now says these things, and nothing of others."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: config[key] for key in config if key not in without}))
    return folder


def load_folder(folder: Path, **settings: Any) -> NativeBackend:
    """The native backend of a checkpoint."""
    with Checkpoint.open(folder) as checkpoint:
        return NativeBackend.load(checkpoint, **settings)


def are_whole_groups(model: Any) -> bool:
    """Whether rows of its matrices are as long as 8-bit codes ask for."""
    weights = (weight for weight in model.parameters() if weight.ndim > 1)
    return all(size % 32 == 0 for weight in weights for size in weight.shape[1:])
