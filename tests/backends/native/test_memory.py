"""Too little memory for a model is one sentence: what is needed, and what there is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.backend_contract import Piece, run
from support.checkpoint_folders import save_llama
from support.family_contract import load_folder
from support.family_files import GEMMA3, GPT2, make_family
from support.folder_tokenizers import save
from support.kernel_bench import Cache, make_program
from support.llama_files import Stored, make_model, metadata_of, tensors_of, write
from support.random_tensors import MATRICES, random_bits

from foretell import LLM
from foretell.backends.native import backend as native
from foretell.backends.native import machine
from foretell.backends.native._core import packed_bytes
from foretell.backends.native.backend import NativeBackend
from foretell.backends.native.compile import Compiled, compile_plan
from foretell.backends.native.weights.checkpoint_weights import CheckpointWeights
from foretell.backends.native.weights.gguf_weights import GGUFWeights
from foretell.errors import OutOfMemoryError
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.types import TensorType
from foretell.loading import load as loading

MODEL = make_model()
WRITABLE = [kind for kind in MATRICES if kind is not TensorType.Q2_0]  # by the gguf package


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


def test_memory_that_ends_in_a_step(path: Path, load: Any) -> None:
    """For logits, or for the parts of attention: neither is to blame alone."""

    class Short:
        forward = short_of_memory

    backend = NativeBackend(Short(), load(path).info, (), {})  # type: ignore[arg-type]
    message = "^too little memory for this step: 2 tokens, 2 rows of 160 logits$"
    with pytest.raises(OutOfMemoryError, match=message):
        run(backend, Piece([1, 2], [0]))


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


def write_in(path: Path, kind: TensorType) -> tuple[Path, int]:
    """A file of random matrices of this type, each a multiple of 16 rows; and their weights."""
    model = make_model(hidden_size=256, intermediate_size=512, num_hidden_layers=1)
    rng, numbers = np.random.default_rng(0), 0
    tensors = tensors_of(model)
    for name, weight in tensors.items():
        if weight.ndim == 2:
            numbers += weight.size
            blocks = weight.shape[1] // kind.block_size
            tensors[name] = Stored(kind, random_bits(kind, len(weight), blocks, rng))
    return write(path, tensors, metadata_of(model.config)), numbers


def test_weights_that_are_packed_larger_than_the_file(
    tmp_path: Path, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IQ1_M has 56 bytes for 256 weights; packed: 96 of codes, 16 scales, and a float16."""
    path, numbers = write_in(tmp_path / "m.gguf", TensorType.IQ1_M)
    needed = numbers // 256 * (96 + 16 + 2) + 3 * 256 * 4
    assert needed > 2 * path.stat().st_size * 0.9
    monkeypatch.setattr(machine, "free_swap", lambda: 0)
    monkeypatch.setattr(machine, "available_memory", lambda: needed - 1)
    with pytest.raises(OutOfMemoryError, match="m: too little memory: the weights take"):
        load(path)
    monkeypatch.setattr(machine, "available_memory", lambda: needed)
    load(path)


@pytest.mark.parametrize("kind", WRITABLE, ids=lambda kind: kind.name)
def test_what_each_type_takes_is_known_before(tmp_path: Path, kind: TensorType) -> None:
    path, _ = write_in(tmp_path / "m.gguf", kind)
    with GGUFFile.open(path) as file:
        plan, weights = native.read_model(file).define(), GGUFWeights(file)
        program = make_program("plain", cache=Cache(kv_heads=2, head_dim=64))
        compile_plan(plan, weights, program, in_file=(), int8=True)
        packed = [program.matrix_bytes(index) for index in range(len(plan.matrices))]
        assert weights.memory(plan.matrices) == sum(packed)


@pytest.mark.parametrize("rows", [1, 15, 16, 17])
def test_rows_are_packed_sixteen_at_a_time(rows: int) -> None:
    assert packed_bytes(TensorType.Q8_0.ggml_id, rows, 64) == (rows + 15) // 16 * 16 * 68
    assert packed_bytes(TensorType.F16.ggml_id, rows, 3) == (rows + 15) // 16 * 16 * 6
    with pytest.raises(ValueError, match="unknown ggml type"):
        packed_bytes(TensorType.I8.ggml_id, rows, 64)


def address_space() -> int:
    """Bytes that this process has, touched or not."""
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("enough", [True, False])
def test_what_is_reserved_is_all_that_is_taken(enough: bool) -> None:
    """Matrices and vectors that do not end where the next one may begin, so that they are apart."""
    program = make_program("plain")
    kind, rows, cols, count = TensorType.F16, 16, 1_000_001, 3
    data, vector = np.zeros(rows * cols * 2, np.uint8), np.zeros(1_000_001, np.float32)
    needed = count * (packed_bytes(kind.ggml_id, rows, cols) + vector.nbytes)
    program.reserve(needed if enough else needed - (4 << 20), 2 * count)
    before = address_space()
    for _ in range(count):
        program.add_vector(vector)
        program.add_matrix(kind.ggml_id, data, rows, cols)
    assert (address_space() - before < 30 << 20) == enough


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("quantize", [None, "q4"])
@pytest.mark.parametrize("family", [GEMMA3, GPT2], ids=lambda family: family.architecture)
def test_a_model_takes_no_more_than_is_reserved(
    family: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quantize: Any
) -> None:
    """The smallest piece that is taken besides has 32 MB; the buffers of activations have few."""
    grown: list[int] = []

    def compile_measured(*args: Any, **settings: Any) -> Compiled:
        before = address_space()
        compiled = compile_plan(*args, **settings)
        grown.append(address_space() - before)
        return compiled

    monkeypatch.setattr(native, "compile_plan", compile_measured)
    make_family(family).save_pretrained(tmp_path)
    load_folder(tmp_path, quantize=quantize, num_blocks=1, threads=1)
    assert len(grown) == 1
    assert grown[0] < 24 << 20


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
            assert weights.memory(names) == sum(numbers) * bits / 8 + vectors * 4


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
