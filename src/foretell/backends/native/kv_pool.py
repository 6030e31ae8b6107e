"""The KV pool of the native backend: what it is to hold, and its memory."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from foretell.backends.base import default_num_blocks
from foretell.backends.native._core import KvType, Program, kv_bytes_per_position
from foretell.backends.native.machine import available_memory
from foretell.backends.native.model import ModelShape
from foretell.backends.native.options import KVDtype
from foretell.backends.native.plan import Heads, Plan
from foretell.errors import ConfigError
from foretell.utils.quoting import escape, quote

BLOCK_SIZE = 16
MAX_BLOCK_SIZE = 4096
MAX_POOL_BYTES = 2**47  # what a process can address
MAX_KV_SHARE = 0.95
USUAL_KV_SHARE = 0.5  # at most, of what the weights leave, where nobody says
MOST_CHOSEN = 1024  # positions in a block, where nobody says
STATE_BYTES = 1 << 14  # of state for each position, where keys and values take less
LEAST_POSITIONS = 4096  # fewer are of little use: these are asked for, whatever memory is told


@dataclass(frozen=True)
class KvPool:
    """The KV blocks.

    Attributes:
        num_blocks: blocks in all.
        block_size: positions in a block.
        kv_dtype: how keys and values are stored.
        layers: the heads of each layer that has them.
        bytes_per_token: of keys and values at one position.
        state_bytes: of the state that layers keep in each block.
        affordable: blocks for which there is memory beside the weights.
        stated: the setting that asks for as many blocks as there are; empty if none does.
    """

    num_blocks: int
    block_size: int
    kv_dtype: KVDtype
    layers: tuple[Heads, ...]
    bytes_per_token: int
    state_bytes: int
    affordable: int
    stated: str

    @property
    def block_bytes(self) -> int:
        """Of a block's keys, values and state."""
        return self.block_size * self.bytes_per_token + self.state_bytes


@dataclass(frozen=True)
class PoolSettings:
    """What a user may say of the pool; see `NativeBackend.load`.

    Raises:
        ConfigError: a setting out of range, or two that contradict each other.
    """

    kv_dtype: KVDtype
    block_size: int | None
    num_blocks: int | None
    kv_share: float | None

    def __post_init__(self) -> None:
        if self.block_size is not None:
            _check_block_size(self.block_size)
        _check_amount(self.num_blocks, self.kv_share)

    def pool(self, shape: ModelShape, plan: Plan, weights: int, *, is_stated: bool) -> KvPool:
        """The pool for a model; ConfigError if its share of memory is less than a block.

        Args:
            shape: the model's sizes.
            plan: its computation.
            weights: bytes that its weights are going to take.
            is_stated: whether it is the user that states its context; the pool then holds it.
        """
        bytes_per_token = sum(
            kv_bytes_per_position(KvType[self.kv_dtype], heads.kv, heads.dim)
            for heads in plan.kv_layers
        )
        state_bytes = 4 * plan.state_size
        block_size = self.block_size or _choose_block_size(bytes_per_token, state_bytes)
        block_bytes = block_size * bytes_per_token + state_bytes
        affordable = _affordable_blocks(weights, block_bytes)
        if self.kv_share is not None:
            stated = f"kv_share={self.kv_share}"
            num_blocks = _blocks_of_share(self.kv_share, block_bytes)
        elif self.num_blocks is not None:
            stated, num_blocks = f"num_blocks={self.num_blocks}", self.num_blocks
        else:
            context = shape.context_length
            stated = f"context_length={context}" if is_stated else ""
            least = -(-(context if is_stated else min(context, LEAST_POSITIONS)) // block_size)
            wanted = default_num_blocks(context, block_size, block_bytes)
            num_blocks = min(wanted, max(least, affordable))
        return KvPool(
            num_blocks,
            block_size,
            self.kv_dtype,
            plan.kv_layers,
            bytes_per_token,
            state_bytes,
            affordable,
            stated,
        )


def allocate(
    pool: KvPool, shape: ModelShape, *, source: Path, isa: str, threads: int, max_tokens: int
) -> Program:
    """An empty program for steps of up to `max_tokens`, and its KV pool.

    ConfigError, which names the model's `source`, if the pool is more than memory can hold, or
    there are more threads than the system starts.
    """
    pool_bytes = pool.num_blocks * pool.block_bytes
    try:
        if pool_bytes > MAX_POOL_BYTES:
            raise MemoryError
        return Program(
            isa,
            threads=threads,
            max_tokens=max_tokens,
            kv_layers=[(heads.kv, heads.dim) for heads in pool.layers],
            block_size=pool.block_size,
            num_blocks=pool.num_blocks,
            kv_type=KvType[pool.kv_dtype],
            state_size=pool.state_bytes // 4,
        )
    except MemoryError:
        stated = pool.stated and f"{pool.stated}: "
        positions = pool.num_blocks * pool.block_size
        raise ConfigError(
            f"{stated}a KV cache for {positions} positions of {escape(source)} takes "
            f"{pool_bytes / 1e9:.1f} GB, more than this machine can give: {_remedy(pool)}"
        ) from None
    except RuntimeError as error:
        raise ConfigError(f"threads={threads}: {error}") from None


def _remedy(pool: KvPool) -> str:
    """What to give instead of a pool that is too large."""
    setting = pool.stated.partition("=")[0]
    if setting == "kv_share":
        return "lower kv_share"
    blocks = max(1, min(pool.affordable, pool.num_blocks // 4))
    if setting == "num_blocks":
        return f"try num_blocks={blocks} (in the shell --num-blocks {blocks})"
    positions = blocks * pool.block_size
    return f"try context_length={positions} (in the shell --context-length {positions})"


def _choose_block_size(bytes_per_token: int, state_bytes: int) -> int:
    """Positions in a block: more where a state, of which each block has one, is large.

    A state is to take no more than keys and values do, or some kilobytes a position.
    """
    size, most = BLOCK_SIZE, max(bytes_per_token, STATE_BYTES)
    while size < MOST_CHOSEN and state_bytes > size * most:
        size *= 2
    return size


def _affordable_blocks(weights: int, block_bytes: int) -> int:
    """Blocks for which there is memory beside the weights, with some to spare."""
    available = available_memory()
    if available is None:
        return sys.maxsize
    return int(USUAL_KV_SHARE * max(0, available - weights)) // block_bytes


def _check_block_size(given: int) -> None:
    if type(given) is not int or not 0 < given <= MAX_BLOCK_SIZE or given % BLOCK_SIZE:
        raise ConfigError(
            f"block_size={quote(given)} must be a multiple of {BLOCK_SIZE}, at most "
            f"{MAX_BLOCK_SIZE}"
        )


def _check_amount(num_blocks: int | None, kv_share: float | None) -> None:
    if num_blocks is not None and (type(num_blocks) is not int or num_blocks < 1):
        raise ConfigError(f"num_blocks={quote(num_blocks)} must be an integer ≥ 1")
    if kv_share is None:
        return
    if num_blocks is not None:
        raise ConfigError(
            f"num_blocks={num_blocks!r} and kv_share={kv_share!r} both size the KV pool: give one"
        )
    if type(kv_share) not in (int, float) or not 0 < kv_share <= MAX_KV_SHARE:
        raise ConfigError(
            f"kv_share={quote(kv_share)} must be a number, more than 0 and at most {MAX_KV_SHARE}"
        )


def _blocks_of_share(kv_share: float, block_bytes: int) -> int:
    available = available_memory()
    if available is None:
        raise ConfigError(
            f"kv_share={kv_share!r}: this system does not tell how much memory is available: "
            "give num_blocks instead"
        )
    if available * kv_share < block_bytes:
        raise ConfigError(
            f"kv_share={kv_share!r} of {available / 1e9:.3g} GB available is less than one KV "
            f"block of {block_bytes} bytes: give a larger share"
        )
    return int(available * kv_share) // block_bytes
