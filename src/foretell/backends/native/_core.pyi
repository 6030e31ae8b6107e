"""The kernels, and the program that calls them."""

import enum
from typing import Annotated

import numpy
from numpy.typing import NDArray


def instruction_sets() -> list[str]:
    """
    Names of the instruction sets that this build has and this processor runs, best first.
    """

def measure_bandwidth(threads: int) -> float:
    """
    Bytes per second that this many threads read together from main memory.
    """

def give_back_freed() -> None:
    """
    Give memory that was freed, and that the C library keeps, back to the system.
    """

class OpKind(enum.Enum):
    embed = 0

    add_positions = 1

    rope_table = 2

    rms_norm = 3

    layer_norm = 4

    quantize = 5

    linear = 6

    rope = 7

    store_kv = 8

    attention = 9

    silu_mul = 10

    gelu = 11

    gather_rows = 12

class KvType(enum.Enum):
    float32 = 0

    float16 = 1

    bfloat16 = 2

    q8 = 3

def kv_bytes_per_position(kv_type: KvType, kv_heads: int, head_dim: int) -> int:
    """Bytes of one layer's keys and values at one position."""

def packed_bytes(ggml_id: int, rows: int, cols: int) -> int:
    """Bytes of a matrix of this type, once it is packed."""

class FloatType(enum.Enum):
    float32 = 0

    float16 = 1

    bfloat16 = 2

class CodeType(enum.Enum):
    q8 = 0

    q4 = 1

def quantize(source: FloatType, weights: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], target: CodeType, blocks: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu')]) -> None:
    """Quantize runs of 32 weights into blocks of GGUF's Q8_0 or Q4_1."""

class Program:
    """A model as a flat list of kernel calls; see csrc/program/program.h."""

    def __init__(self, isa: str, *, threads: int, max_tokens: int, layers: int, kv_heads: int, head_dim: int, block_size: int, num_blocks: int, kv_type: KvType) -> None: ...

    def reserve(self, bytes: int, count: int) -> None: ...

    def add_matrix(self, ggml_id: int, data: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], rows: int, cols: int) -> int: ...

    def pack(self) -> int: ...

    def add_file_rows(self, ggml_id: int, data: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], rows: int, cols: int) -> int: ...

    def are_finite(self, file_rows: int, begin: int, end: int) -> bool: ...

    def add_vector(self, values: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> int: ...

    def add_buffer(self, width: int, per_output: bool) -> int: ...

    def add_codes(self, width: int, per_output: bool) -> int: ...

    def add_op(self, kind: OpKind, *, a: int = -1, b: int = -1, c: int = -1, out: int = -1, codes: int = -1, matrix: int = -1, file_rows: int = -1, vector: int = -1, layer: int = -1, heads: int = 0, scalar: float = 1.0, window: int = 0, interleaved: bool = False) -> None: ...

    def finish(self) -> None: ...

    def forward(self, tokens: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], positions: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], starts: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], block_tables: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)], logits_indices: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C')]:
        """
        Logits (num_logits, vocab_size) of one batch, valid until the next call.
        """

    def copy_blocks(self, pairs: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)]) -> None: ...

    def read_matrix(self, index: int) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C')]:
        """A packed matrix as float32 (rows, cols)."""

    def matrix_bytes(self, index: int) -> int: ...

    @property
    def vocab_size(self) -> int: ...
