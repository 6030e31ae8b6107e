"""
The fusable sampling chain over rows of logits; see csrc/sampling/chain.h.
"""

from collections.abc import Sequence
import enum
from typing import Annotated

import numpy
from numpy.typing import NDArray


class BrokenRow(Exception):
    pass

def instruction_sets() -> list[str]:
    """
    Names of the instruction sets that this build has and this processor runs, best first.
    """

def powers() -> list[int]:
    """Bits of 2 ** (i / 64) as float64: the table behind the weights."""

def permutation(seed: int, size: int, count: int) -> Annotated[NDArray[numpy.int32], dict(shape=(None,))]:
    """
    The first numbers of torch.randperm(size) with a generator of this seed, modulo 2 ** 32.
    """

class ScopeKind(enum.Enum):
    prompt = 0

    output = 1

    all = 2

    last = 3

class StepKind(enum.Enum):
    temperature = 0

    top_k = 1

    top_k_cut = 2

    top_p = 3

    min_p = 4

class SamplingChain:
    """One sequence's settings and token counts."""

    def __init__(self, *, vocab_size: int, repetition_penalty: float, frequency_penalty: float, presence_penalty: float, repetition_scope: tuple[ScopeKind, int], count_scope: tuple[ScopeKind, int], exempt: Sequence[int], steps: Sequence[tuple[StepKind, float]], min_tokens_to_keep: int, greedy: bool) -> None: ...

    @property
    def num_stages(self) -> int: ...

    def advance(self, new_tokens: Sequence[int], num_prompt_tokens: int) -> None: ...

    def clear(self) -> None: ...

    @property
    def num_seen(self) -> int: ...

def choose(logits: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], rows: Sequence[int], chains: Sequence[SamplingChain], uniforms: Sequence[float], isa: str) -> list[int | str]:
    """One token a row, or what is wrong with it; the rows are overwritten."""

def draw(row: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], uniform: float, isa: str) -> int:
    """The token at a quantile of the row."""

def apply(row: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], chain: SamplingChain, isa: str) -> None:
    """Writes what the chain makes of the row, -inf for what it rules out."""

def trace(row: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], chain: SamplingChain, uniform: float, num_others: int, isa: str) -> tuple[list[tuple[int, float, float]], list[tuple[int, int, list[float], list[float]]], float, float]:
    """
    What each stage made of the row; the traced tokens, the chosen one first; and the interval of the draw.
    """

def sum_up(row: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], block: int, isa: str) -> tuple[int, float, list[float], float, list[int]]:
    """
    Logits above -inf, the largest, Σ e^x of each block, and Σ x · e^x of all, with x = row - largest, never below -64; and the ids of the first, if they are few. The largest is NaN, and the rest empty, for a row without a finite maximum.
    """

def exp(row: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None:
    """e^x of each number, in place."""

def log(row: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None:
    """ln x of each number, in place."""

def exp_of(x: float) -> float:
    """e^x."""

def log_of(x: float) -> float:
    """ln x; NaN below 0."""

def divergence(p: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], log_p: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], log_q: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> float:
    """
    Σ m · (ln m - (ln p + ln q) / 2), m the mean of p and q; ln m is -85.2 at least, the other -1e4.
    """

def largest_products(vectors: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], others: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], largest: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]) -> None:
    """
    The largest inner product of each of the others with any of the vectors.
    """

def kept(row: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], chain: SamplingChain, isa: str) -> list[int]:
    """Ids that the chain leaves possible, ascending; the row is overwritten."""
