"""The kernels, and the program that calls them."""

from collections.abc import Sequence
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

    scale = 2

    add = 3

    clamp = 4

    softcap = 5

    rope_table = 6

    rms_norm = 7

    layer_norm = 8

    quantize = 9

    permute = 10

    join_heads = 11

    linear = 12

    linear_heads = 13

    rope = 14

    store_kv = 15

    attention = 16

    silu_mul = 17

    gelu = 18

    gelu_erf = 19

    relu = 20

    relu_squared = 21

    sigmoid = 22

    gather_rows = 23

    causal_conv = 25

    gated_conv = 26

    selective_scan = 27

    delta_rule = 28

    keep_rows = 24

    route = 29

    dispatch = 30

    experts = 31

    combine = 32

    add_gated = 33

    clamped_swiglu = 34

    xielu = 35

class Scoring(enum.Enum):
    softmax = 0

    chosen_softmax = 1

    sigmoid = 2

    sparse_mixer = 3

class Routing:
    """How a token's experts are chosen; see csrc/kernels/kernels.h."""

    def __init__(self, experts: int, used: int, scoring: Scoring, *, normalizes: bool = False, groups: int = 1, groups_used: int = 1, group_best: int = 1, factor: float = 1.0, eps: float = 9.999999682655225e-21, threshold: float = 0.0) -> None: ...

    @property
    def experts(self) -> int: ...

    @property
    def used(self) -> int: ...

    @property
    def scoring(self) -> Scoring: ...

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

class WordOrder(enum.Enum):
    inputs_down = 0

    inputs_along = 1

    rows_interleaved = 2

def blocks_of_words(order: WordOrder, bits: int, words: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu', writable=False)], inputs: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], scales: Annotated[NDArray[numpy.uint16], dict(shape=(None,), order='C', device='cpu', writable=False)], zeros: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], ggml_id: int, rows: int, blocks: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu')]) -> None:
    """
    Bring integer codes, kept in 32-bit words, into blocks; see csrc/weights/words.h.
    """

class Program:
    """A model as a flat list of kernel calls; see csrc/program/program.h."""

    def __init__(self, isa: str, *, threads: int, max_tokens: int, kv_layers: Sequence[tuple[int, int]], block_size: int, num_blocks: int, kv_type: KvType, state_size: int = 0) -> None: ...

    def reserve(self, bytes: int, count: int) -> None: ...

    def add_matrix(self, ggml_id: int, data: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], rows: int, cols: int) -> int: ...

    def add_stack(self, ggml_id: int, rows: int, cols: int) -> int: ...

    def fill(self, stack: int, begin: int, ggml_id: int, data: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], rows: int) -> None: ...

    def pack(self) -> int: ...

    def add_file_rows(self, ggml_id: int, data: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], rows: int, cols: int) -> int: ...

    def are_finite(self, file_rows: int, begin: int, end: int) -> bool: ...

    def add_vector(self, values: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> int: ...

    def add_buffer(self, width: int, per_output: bool) -> int: ...

    def add_codes(self, width: int, per_output: bool) -> int: ...

    def add_op(self, kind: OpKind, *, a: int = -1, b: int = -1, c: int = -1, out: int = -1, codes: int = -1, matrix: int = -1, file_rows: int = -1, vector: int = -1, layer: int = -1, heads: int = 0, scalar: float = 1.0, window: int = 0, softcap: float = 0.0, slopes: int = -1, rounds_slopes: bool = False, interleaved: bool = False, state: int = -1, state_size: int = 0, routing: Routing | None = None) -> None: ...

    def finish(self) -> None: ...

    def forward(self, tokens: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], positions: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], starts: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], block_tables: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)], logits_indices: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C')]:
        """
        Logits (num_logits, vocab_size) of one batch, valid until the next call.
        """

    def forward_with_states(self, tokens: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], positions: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], starts: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], block_tables: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)], logits_indices: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], hidden_indices: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], early: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)]) -> tuple[Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C')], Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C')], Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C')]]:
        """
        Logits of one batch, last hidden states (H, width) of some of its tokens, and logits (P, vocab_size) as of early layers; valid until the next call.
        """

    def copy_blocks(self, pairs: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)]) -> None: ...

    def read_block(self, block: int, bytes: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu')]) -> None:
        """Fill `bytes` with those of a KV block."""

    def write_block(self, block: int, bytes: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], end: int) -> None:
        """Fill a KV block with bytes; `end` is the position after its last one."""

    @property
    def block_bytes(self) -> int: ...

    def read_matrix(self, index: int) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C')]:
        """A packed matrix as float32 (rows, cols)."""

    def matrix_bytes(self, index: int) -> int: ...

    @property
    def vocab_size(self) -> int: ...
