"""Too little memory for a model is one sentence: what is needed, and what there is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.checkpoint_folders import save_llama
from support.folder_tokenizers import save
from support.llama_files import make_model, metadata_of, tensors_of, write

from foretell import LLM
from foretell.backends.native import backend as native
from foretell.backends.native import machine
from foretell.backends.native.weights.source import CheckpointWeights, GGUFWeights
from foretell.errors import OutOfMemoryError
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.loading import load as loading

MODEL = make_model()


def short_of_memory(*_: Any, **__: Any) -> None:
    raise MemoryError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "tiny-F32.gguf", tensors_of(MODEL), metadata_of(MODEL.config))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_llama(tmp_path / "tiny", vocab_size=500)
    return save(tmp_path / "tiny", "llama3")


def test_more_weights_than_memory_and_swap_are_refused(
    path: Path, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = sum(weight.numel() for weight in MODEL.parameters()) * 4
    monkeypatch.setattr(machine, "available_memory", lambda: needed - 1000)
    monkeypatch.setattr(machine, "free_swap", lambda: 999)
    with pytest.raises(OutOfMemoryError, match=r"tiny in F32: too little memory: the weights take"):
        load(path)
    monkeypatch.setattr(machine, "free_swap", lambda: 1000)
    load(path)


def test_the_sentence_says_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 1_500_000_000)
    assert str(machine.out_of_memory("tiny", 2_250_000_000)) == (
        "tiny: too little memory: the weights take 2.25 GB, 1.50 GB are available: close other "
        "programs, or take a smaller or quantized model"
    )
    monkeypatch.setattr(machine, "available_memory", lambda: None)
    assert "take 2.25 GB: close" in str(machine.out_of_memory("tiny", 2_250_000_000))


def test_memory_that_ends_while_weights_are_packed(
    path: Path, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "compile_plan", short_of_memory)
    with pytest.raises(OutOfMemoryError, match="tiny in F32: too little memory: the weights take"):
        load(path)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("x: can't allocate memory: y")])
def test_memory_that_ends_within_transformers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", fail)
    with pytest.raises(OutOfMemoryError, match=r"tiny: too little memory: .* take 0\.00 GB"):
        LLM(folder, backend="transformers")


def test_memory_that_ends_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_run_folder", short_of_memory)
    with pytest.raises(OutOfMemoryError, match="tiny: too little memory to load the model"):
        LLM(folder)


@pytest.mark.parametrize("quantize", [None, "q8", "q4"])
def test_what_weights_take_is_known_before(tmp_path: Path, quantize: Any) -> None:
    """As many bytes as the types make of the file's numbers."""
    bits = {None: 32, "q8": 8.5, "q4": 5}[quantize]
    numbers = [weight.numel() for weight in MODEL.parameters() if weight.ndim == 2]
    vectors = sum(weight.numel() for weight in MODEL.parameters() if weight.ndim == 1)
    MODEL.save_pretrained(tmp_path)
    path = write(tmp_path / "m.gguf", tensors_of(MODEL), metadata_of(MODEL.config))
    with GGUFFile.open(path) as file, Checkpoint.open(tmp_path) as checkpoint:
        family = native.read_model(file)
        names = family.define().weights
        sources = (
            GGUFWeights(file, quantize),
            CheckpointWeights(checkpoint, family.HF_NAMES, quantize),
        )
        for weights in sources:
            expected = sum(numbers) * bits / 8
            assert expected <= weights.memory(names) <= expected + vectors * 4


LIMITED = """
import resource, sys
from pathlib import Path
import numpy
from foretell.backends.native.backend import NativeBackend
from foretell.errors import OutOfMemoryError
from foretell.formats.gguf import GGUFFile
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limit = taken + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    with GGUFFile.open(sys.argv[1]) as file:
        NativeBackend.load(file, num_blocks=1, threads=1)
except OutOfMemoryError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("room", "sentence"),
    [
        (50, "its 0.10 GB cannot be mapped"),
        (180, "m: too little memory: the weights take 0.10 GB, "),
    ],
)
def test_a_process_may_be_allowed_too_little(tmp_path: Path, room: int, sentence: str) -> None:
    model = make_model(num_hidden_layers=1)
    tensors = tensors_of(model) | {"token_embd.weight": np.ones((400_000, 64), np.float32)}
    path = write(tmp_path / "m.gguf", tensors, metadata_of(model.config))
    arguments = [sys.executable, "-c", LIMITED, str(path), str(room * 1_000_000)]
    found = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert sentence in found.stdout
    assert found.stdout.count("\n") == 1
