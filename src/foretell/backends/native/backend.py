"""The native backend: a GGUF model run by foretell's own kernels (row 4 of the design).

batch → logits, one call into C++ a step, the GIL released.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from foretell.backends.base import BackendInfo, Batch, Logits
from foretell.backends.native._core import Program, instruction_sets
from foretell.backends.native.compile import compile_plan
from foretell.backends.native.machine import choose_threads
from foretell.backends.native.models import read_model
from foretell.backends.native.models.shape import ModelShape
from foretell.backends.native.weights.gguf import GGUFFile
from foretell.backends.native.weights.source import GGUFWeights
from foretell.errors import ConfigError
from foretell.instruction_sets import choose_instruction_set

Activations = Literal["int8", "float32"]
KvDtype = Literal["float16", "float32"]

BLOCK_SIZE = 16
MAX_BATCH_TOKENS = 512
MAX_POOL_BYTES = 2**47  # what a process can address


class NativeBackend:
    """Implements `backends.base.Backend` on this machine's processor."""

    def __init__(self, program: Program, info: BackendInfo) -> None:
        self._program = program
        self._info = info

    @classmethod
    def load(
        cls,
        file: GGUFFile,
        *,
        threads: int | None = None,
        activations: Activations = "int8",
        kv_dtype: KvDtype = "float16",
        context_length: int | None = None,
        num_blocks: int | None = None,
    ) -> NativeBackend:
        """Pack the file's weights and make the KV pool. The file may be closed afterwards.

        Args:
            file: an open GGUF file.
            threads: threads to compute with; not given: FORETELL_THREADS, else one a core.
            activations: "int8" is fast; "float32" computes every product in float32, to test
                against.
            kv_dtype: how keys and values are stored.
            context_length: most positions of a sequence; not given: what the model was made for.
            num_blocks: KV blocks of 16 positions; not given: room for two full contexts.

        Raises:
            ConfigError: a setting out of range.
            ModelFileError: the file contradicts itself.
            UnsupportedModelError: an architecture that is not known here.
        """
        _check_choice("activations", activations, ("int8", "float32"))
        _check_choice("kv_dtype", kv_dtype, ("float16", "float32"))
        threads = choose_threads(threads)
        isa = choose_instruction_set(instruction_sets())
        model = read_model(file)
        shape = model.shape
        context_length = _choose_context(context_length, shape.context_length)
        blocks_of_context = -(-context_length // BLOCK_SIZE)
        num_blocks = _checked_blocks(2 * blocks_of_context if num_blocks is None else num_blocks)
        program = _allocate(isa, threads, shape, num_blocks, kv_dtype)
        int8 = activations == "int8"
        weight_bytes = compile_plan(model.define(), GGUFWeights(file), program, int8=int8)
        info = BackendInfo(
            name="native",
            description=f"{_title(file)}, {activations} activations, {isa}, {threads} threads",
            vocab_size=shape.vocab_size,
            context_length=context_length,
            block_size=BLOCK_SIZE,
            num_blocks=num_blocks,
            max_batch_tokens=MAX_BATCH_TOKENS,
            weight_bytes=weight_bytes,
            kv_bytes_per_token=_kv_bytes(shape, kv_dtype),
            threads=threads,
        )
        return cls(program, info)

    @property
    def info(self) -> BackendInfo:
        """What this backend is; constant over its life."""
        return self._info

    def forward(self, batch: Batch) -> Logits:
        """Logits `(R, vocab_size)` of the wanted rows, valid until the next call."""
        return self._program.forward(
            batch.tokens, batch.positions, batch.starts, batch.block_tables, batch.wanted
        )

    def copy_blocks(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy each (source, destination) KV block, in order."""
        if pairs:
            self._program.copy_blocks(np.array(pairs, np.int32))


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name}={value!r} must be one of {', '.join(map(repr, choices))}")


def _choose_context(wanted: int | None, longest: int) -> int:
    if wanted is None:
        return longest
    if type(wanted) is not int or not 1 <= wanted <= longest:
        raise ConfigError(
            f"context_length={wanted!r} must be an integer from 1 to {longest}, the model's own"
        )
    return wanted


def _checked_blocks(wanted: int) -> int:
    if type(wanted) is not int or wanted < 1:
        raise ConfigError(f"num_blocks={wanted!r} must be an integer ≥ 1")
    return wanted


def _allocate(
    isa: str, threads: int, shape: ModelShape, num_blocks: int, kv_dtype: KvDtype
) -> Program:
    """An empty program and its KV pool; ConfigError if the pool is more than memory can hold."""
    pool_bytes = num_blocks * BLOCK_SIZE * _kv_bytes(shape, kv_dtype)
    try:
        if pool_bytes > MAX_POOL_BYTES:
            raise MemoryError
        return Program(
            isa,
            threads=threads,
            max_tokens=MAX_BATCH_TOKENS,
            layers=shape.layers,
            kv_heads=shape.heads.kv,
            head_dim=shape.heads.dim,
            block_size=BLOCK_SIZE,
            num_blocks=num_blocks,
            half=kv_dtype == "float16",
        )
    except MemoryError:
        raise ConfigError(
            f"num_blocks={num_blocks}: a KV cache for {num_blocks * BLOCK_SIZE} positions takes "
            f"{pool_bytes / 1e9:.1f} GB, more than this machine can give: lower context_length"
        ) from None


def _kv_bytes(shape: ModelShape, kv_dtype: KvDtype) -> int:
    values = 2 * shape.layers * shape.heads.kv * shape.heads.dim
    return values * (2 if kv_dtype == "float16" else 4)


def _title(file: GGUFFile) -> str:
    name = file.metadata.get("general.name")
    return name if isinstance(name, str) and name else file.path.name
