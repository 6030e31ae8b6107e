"""The native backend: a model run by foretell's own kernels.

batch → logits, one call into C++ a step, the GIL released.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from foretell.backends.base import BackendInfo, Batch, Bytes, States, StatesAsked
from foretell.backends.native._core import OpKind, Program, instruction_sets
from foretell.backends.native.adapting import bind_adapters
from foretell.backends.native.architectures import read_model
from foretell.backends.native.compile import PRODUCTS, Compiled, compile_plan
from foretell.backends.native.kv_pool import KvPool, PoolSettings, allocate
from foretell.backends.native.machine import check_memory, choose_threads, out_of_memory
from foretell.backends.native.model import DependsOnContext, Model, ModelShape
from foretell.backends.native.options import Activations, AdapterChoice, KVDtype, Quantize
from foretell.backends.native.permute import permute_inputs, takes_permuted_output
from foretell.backends.native.plan import Plan
from foretell.backends.native.unread import refuse_unread_tensors
from foretell.backends.native.weights.adapters import Adapters, open_adapters
from foretell.backends.native.weights.batch import OnPacked
from foretell.backends.native.weights.checkpoint_weights import CheckpointWeights
from foretell.backends.native.weights.gguf_weights import GGUFWeights
from foretell.backends.native.weights.source import HFName, WeightSource
from foretell.errors import ConfigError, OutOfMemoryError
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.split_names import whole_name
from foretell.utils.arrays import Logits
from foretell.utils.display import count
from foretell.utils.isa import choose_instruction_set
from foretell.utils.quoting import escape, quote

MAX_BATCH_TOKENS = 512
_FILE_NAME = re.compile(
    r"(?P<name>.+?)(?:[.-](?P<kind>i?q[1-8](?:_\w+)?|b?f16|f32|fp16|fp32))?\.gguf", re.IGNORECASE
)
_ANY_NAME = {"model", "ggml-model", "ggml_model", "weights"}


class NativeBackend:
    """Implements `backends.base.Backend` on this machine's processor.

    Attributes:
        unread: tensors of a checkpoint that the model has no place for.
        block_form: what the bytes of KV blocks depend on: see `KeepsBlocks`.
    """

    def __init__(
        self,
        program: Program,
        info: BackendInfo,
        unread: Sequence[str],
        block_form: Mapping[str, Any],
    ) -> None:
        self._program = program
        self._info = info
        self.unread = tuple(unread)
        self.block_form = block_form

    @classmethod
    def load(  # noqa: PLR0913
        cls,
        file: GGUFFile | Checkpoint,
        *,
        quantize: Quantize | None = None,
        adapters: Sequence[AdapterChoice] = (),
        threads: int | None = None,
        activations: Activations = "int8",
        kv_dtype: KVDtype = "float16",
        context_length: int | None = None,
        num_blocks: int | None = None,
        kv_share: float | None = None,
        block_size: int | None = None,
        on_packed: OnPacked = lambda num_bytes: None,
    ) -> NativeBackend:
        """Pack the file's weights and make the KV pool. The file may be closed afterwards.

        Matrices of which rows are looked up and nothing else, such as embeddings that are not
        tied, are not packed: their rows are read from the file's map, which stays until the
        backend goes, closed or not. A block of the pool takes memory when it is first written.

        Args:
            file: an open GGUF file or checkpoint folder.
            quantize: pack float matrices as 8-bit ("q8") or 4-bit codes ("q4"), in groups of 32.
            adapters: what is added to the weights before they are packed.
            threads: threads to compute with; not given: FORETELL_THREADS, else one a core.
            activations: "int8" is fast; "float32" computes all products in float32, for tests.
            kv_dtype: how keys and values are stored. "float16" is more exact than "bfloat16", but
                keeps finite values past 65504 as 65504. "q8" is int8 with scales (decision 0032).
                Infinite or NaN keys and values make all that sees them NaN.
            context_length: most positions of a sequence; not given: what the model was made for.
            num_blocks: KV blocks in the pool; not given: see `default_num_blocks`, but no more than
                half of what the weights leave of the memory that is available now can hold, or
                the context that is given, or 4,096 positions.
            kv_share: instead, the pool's share of the memory available now; up to 0.95.
            block_size: positions in a block, a multiple of 16; not given: 16, or more for a model
                with a state, of which each block has one. Logits do not depend on it.
            on_packed: called with how many more bytes of the file are packed, or checked there.

        Raises:
            ConfigError: a setting out of range.
            ModelFileError, UnsupportedModelError: the file contradicts itself, or is not known.
            OutOfMemoryError: its weights are more than memory can hold.
        """
        _check_choices(quantize, activations, kv_dtype)
        settings = PoolSettings(kv_dtype, block_size, num_blocks, kv_share)
        threads, isa = choose_threads(threads), choose_instruction_set(instruction_sets())
        opened = open_adapters(adapters)
        model, shape, has_long_context = _read(file, opened, context_length)
        weights = _weights_of(file, model.HF_NAMES, quantize, on_packed, opened)
        title = _title(file, quantize, opened)
        plan, unread = _plan_of(file, model, weights, opened)
        needed = weights.memory(plan.weights - _in_file(plan, weights), plan.transposed)
        pool = settings.pool(shape, plan, needed, is_stated=context_length is not None)
        program = allocate(
            pool, shape, source=file.path, isa=isa, threads=threads, max_tokens=MAX_BATCH_TOKENS
        )
        compiled = _pack(title, plan, weights, program, needed, int8=activations == "int8")
        opened.check_all_applied()
        description = f"{title}, {_arithmetic(compiled)}, {isa}, {count(threads, 'thread')}"
        info = _info(description, plan, shape, pool, compiled, threads)
        form = {
            "quantize": quantize,
            "activations": activations,
            "has_long_context": has_long_context,
        }
        return cls(program, info, unread, {**form, **_block_shape(pool)})

    @property
    def info(self) -> BackendInfo:
        """What this backend is; constant over its life."""
        return self._info

    def forward(self, batch: Batch) -> Logits:
        """Logits `(R, vocab_size)` of the rows asked for, valid until the next call.

        OutOfMemoryError if memory cannot hold them, or what attention shares among threads.
        """
        try:
            return self._program.forward(
                batch.tokens,
                batch.positions,
                batch.starts,
                batch.block_tables,
                batch.logits_indices,
            )
        except MemoryError:
            raise self._too_large(batch, 0) from None

    def forward_with_states(self, batch: Batch, asked: StatesAsked) -> States:
        """The same, with the last hidden states and the logits of early layers asked for."""
        try:
            found = self._program.forward_with_states(
                batch.tokens,
                batch.positions,
                batch.starts,
                batch.block_tables,
                batch.logits_indices,
                asked.hidden_indices,
                asked.early,
            )
        except MemoryError:
            raise self._too_large(batch, len(asked.early)) from None
        return States(*found)

    def _too_large(self, batch: Batch, num_early: int) -> OutOfMemoryError:
        tokens, rows = len(batch.tokens), len(batch.logits_indices) + num_early
        return OutOfMemoryError(
            f"too little memory for this step: {count(tokens, 'token')}, "
            f"{count(rows, 'row')} of {self._info.vocab_size} logits"
        )

    def copy_blocks(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy each (source, destination) KV block, in order."""
        if pairs:
            self._program.copy_blocks(np.array(pairs, np.int32))

    @property
    def block_bytes(self) -> int:
        """Bytes of a KV block, its keys, values and states."""
        return self._program.block_bytes

    def read_block(self, block: int) -> Bytes:
        """A copy of a KV block's bytes."""
        data = np.empty(self.block_bytes, np.uint8)
        self._program.read_block(block, data)
        return data

    def write_block(self, block: int, data: Bytes, end: int) -> None:
        """Fill a KV block with the bytes of a full one; `end`: the position after its last one."""
        self._program.write_block(block, data, end)


def _check_choices(quantize: str | None, activations: str, kv_dtype: str) -> None:
    _check_choice("activations", activations, Activations)
    _check_choice("kv_dtype", kv_dtype, KVDtype)
    if quantize is not None:
        _check_choice("quantize", quantize, Quantize)


def _check_choice(name: str, value: str, literal: Any) -> None:
    choices = get_args(literal)
    if value not in choices:
        raise ConfigError(f"{name}={quote(value)} must be one of {', '.join(map(repr, choices))}")


def _read(
    file: GGUFFile | Checkpoint, adapters: Adapters, context_length: int | None
) -> tuple[Model, ModelShape, bool]:
    """The model in a file, loaded for sequences of so many positions, and its sizes.

    And whether they make it another model than shorter ones would.
    """
    adapters.replace_tensors(file)
    model = read_model(file)
    shape = _shorten(model.shape, context_length)
    if not isinstance(model, DependsOnContext):
        return model, shape, False
    loaded = model.within(shape.context_length)
    return loaded, shape, loaded is not model


def _shorten(shape: ModelShape, wanted: int | None) -> ModelShape:
    """The shape, for sequences of so many positions; None: of as many as the model was made for."""
    longest = shape.context_length
    if wanted is None:
        return shape
    if type(wanted) is not int or not 1 <= wanted <= longest:
        raise ConfigError(
            f"context_length={quote(wanted)} must be an integer from 1 to {longest}, the model's "
            "own"
        )
    return replace(shape, context_length=wanted)


def _weights_of(
    file: GGUFFile | Checkpoint,
    names: Mapping[str, HFName],
    quantize: Quantize | None,
    on_packed: OnPacked,
    adapters: Adapters,
) -> WeightSource:
    if isinstance(file, Checkpoint):
        return CheckpointWeights(file, names, quantize, on_packed, adapters)
    return GGUFWeights(file, quantize, on_packed, adapters)


def _plan_of(
    file: GGUFFile | Checkpoint, model: Model, weights: WeightSource, adapters: Adapters
) -> tuple[Plan, list[str]]:
    """A model's computation, by the order of its weights' inputs, and the tensors left out of it.

    UnsupportedModelError if a GGUF file has any.
    """
    plan = model.define()
    bind_adapters(adapters, model, plan, is_gguf=isinstance(file, GGUFFile))
    unread = weights.unread(plan.weights, plan.spare)
    permute_inputs(plan, weights)
    if isinstance(file, GGUFFile):
        refuse_unread_tensors(file, unread, plan)
    return plan, unread


def _block_shape(pool: KvPool) -> dict[str, Any]:
    """How keys, values and states lie in a block."""
    return {
        "kv_dtype": pool.kv_dtype,
        "block_size": pool.block_size,
        "layers": len(pool.layers),
        "kv_heads": _one_of([heads.kv for heads in pool.layers]),
        "head_dim": _one_of([heads.dim for heads in pool.layers]),
        "state_bytes": pool.state_bytes,
    }


def _one_of(values: list[int]) -> int | list[int]:
    """The one value where all are alike, 0 where there are none; else all of them."""
    return values if len({*values}) > 1 else next(iter(values), 0)


def _info(
    description: str,
    plan: Plan,
    shape: ModelShape,
    pool: KvPool,
    compiled: Compiled,
    threads: int,
) -> BackendInfo:
    return BackendInfo(
        name="native",
        description=description,
        vocab_size=shape.vocab_size,
        context_length=shape.context_length,
        block_size=pool.block_size,
        num_blocks=pool.num_blocks,
        max_batch_tokens=MAX_BATCH_TOKENS,
        weight_bytes=compiled.weight_bytes,
        kv_bytes_per_token=pool.bytes_per_token,
        threads=threads,
        attention_span=_attention_span(plan, int8=compiled.takes_int8),
        is_exact=True,
        state_bytes=pool.state_bytes,
        num_layers=0 if takes_permuted_output(plan) else shape.layers,
        ties_embeddings=plan.ties_embeddings,
    )


def _attention_span(plan: Plan, *, int8: bool) -> int:
    """Multiply-adds of a token's products over those of attention at one position, by their cost.

    As measured, one of attention takes as long as 3.5 of int8 products. 0 without attention.
    """
    products = sum(
        node.matrix_rows * node.inputs[0].width
        for node in plan.nodes
        if node.kind in PRODUCTS and node.inputs[0] and not node.inputs[0].per_output
    )
    outputs = (node.result for node in plan.nodes if node.kind == OpKind.attention)
    attention = 2 * sum(value.width for value in outputs if value)
    if not attention:
        return 0
    return max(1, round(products / attention / (3.5 if int8 else 1)))


def _in_file(plan: Plan, weights: WeightSource) -> set[str]:
    """The matrices whose rows are read where they lie."""
    return {name for name in plan.looked_up if weights.stays_in_file(name)}


def _pack(
    title: str, plan: Plan, weights: WeightSource, program: Program, needed: int, *, int8: bool
) -> Compiled:
    """Fill the program; OutOfMemoryError, which says how much it takes, if that is too much."""
    check_memory(title, needed)
    count = 2 * len(plan.nodes)  # at most: a matrix and a vector each
    program.reserve(needed + plan.constant_bytes, count)
    try:
        return compile_plan(plan, weights, program, in_file=_in_file(plan, weights), int8=int8)
    except MemoryError:
        raise out_of_memory(title, needed) from None


def _title(file: GGUFFile | Checkpoint, quantize: Quantize | None, adapters: Adapters) -> str:
    """A model's name, its adapters, and in what its weights are where that is known."""
    name, kind = (file.title, None) if isinstance(file, Checkpoint) else _file_title(file)
    kind = quantize or kind
    whole = " + ".join([name, *adapters.titles])
    return escape(whole if kind is None else f"{whole} in {kind}")


def _arithmetic(compiled: Compiled) -> str:
    return f"{'int8' if compiled.takes_int8 else 'float32'} activations"


def _file_title(file: GGUFFile) -> tuple[str, str | None]:
    """What people call a file's model, and the type of its weights where its name tells.

    The file's own name, which is as its publisher writes it; the metadata's is often garbled, and
    serves where the file is called as any might be.
    """
    file_name = whole_name(file.path.name)
    parts = _FILE_NAME.fullmatch(file_name)
    name = file.metadata.get("general.name")
    if parts is None or parts["name"].lower() in _ANY_NAME:
        kind = parts["kind"] if parts else None
        return (name if isinstance(name, str) and name else file_name), kind
    return parts["name"], parts["kind"]
