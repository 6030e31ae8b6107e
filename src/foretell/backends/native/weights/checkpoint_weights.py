"""The weights of a checkpoint's folder."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import Program
from foretell.backends.native.options import Quantize
from foretell.backends.native.weights.adapters import Adapters
from foretell.backends.native.weights.batch import (
    OnPacked,
    PackingBatch,
    StoredMatrix,
    StoredStack,
)
from foretell.backends.native.weights.decode import float_bytes, softplus
from foretell.backends.native.weights.experts import (
    ExpertMatrices,
    QuantizedMatrices,
    find_experts,
)
from foretell.backends.native.weights.forms import read_form
from foretell.backends.native.weights.forms.base import Matrix, by
from foretell.backends.native.weights.forms.plain import CHECKPOINT_TYPES, PlainMatrix
from foretell.backends.native.weights.quantize import FLOAT_TYPES, to_float32
from foretell.backends.native.weights.read_ahead import ReadAhead
from foretell.backends.native.weights.rules import (
    FLOATS,
    QUANTIZED_TYPES,
    Bytes,
    as_kept,
    changed,
    finite,
    memory_of,
    packed_type,
    refuse_adapters,
    rows_of,
    transposable,
    vector_shape,
)
from foretell.backends.native.weights.source import NO_SHARES, HFName, Part
from foretell.backends.native.weights.spellings import find_tensor, spellings
from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.types import BlockType, TensorType
from foretell.utils.quoting import escape, one_line

HARMLESS = re.compile(
    r"\brotary_emb\.inv_freq$|\b(attn|attention)\.(masked_)?bias$|\battn\.causal_mask$"
)
"""Tensors of checkpoints that are computed anew, as by transformers: frequencies, masks."""
ACTIVATION_SCALES = re.compile(r"\.((input|output|q|k|v)_scale|(input|output)_zero_point)$")
"""Tensors of quantized checkpoints that tell of activations, keys and values, not of weights."""


class CheckpointWeights:
    """The tensors of a checkpoint, by the names that GGUF files give them.

    Any that a plan names must be there, in the shape it expects.

    Args:
        checkpoint: an open folder.
        names: what the checkpoint calls each weight, `{}` in both for the number of the layer.
        quantize: quantize the matrices so, where they are packed.
        on_packed: called after each matrix.
        adapters: what is added to its weights.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        names: Mapping[str, HFName],
        quantize: Quantize | None = None,
        on_packed: OnPacked = lambda num_bytes: None,
        adapters: Adapters | None = None,
    ) -> None:
        self._adapters = adapters or Adapters()
        self._checkpoint = checkpoint
        self._form = read_form(checkpoint)
        self._batch = PackingBatch(on_packed)
        self._names = names
        self._target = None if quantize is None else QUANTIZED_TYPES[quantize]
        self._found: dict[str, Matrix | ExpertMatrices] = {}

    def unread(self, names: Collection[str], spare: Collection[str] = ()) -> list[str]:
        """The folder's tensors that change a model's answers, but are none of these weights'."""
        read = {tensor for name in sorted(names) for tensor in self._kept(name).names}
        found = (find_tensor(self._checkpoint, self._named(name).name) for name in spare)
        read |= {tensor for tensor in found if tensor is not None}
        read.add(self._names["output.weight"].name)  # unread, it is the embedding again
        left = [name for name in self._checkpoint.tensors if name not in read]
        return [name for name in left if not self._is_harmless(name)]

    def _is_harmless(self, name: str) -> bool:
        """Whether a tensor is computed anew, or in a quantized checkpoint of no use here."""
        if self._form is None:
            return bool(HARMLESS.search(name))
        is_bias = name.endswith(".bias") and not self._checkpoint.data(name).any()
        return is_bias or bool(HARMLESS.search(name) or ACTIVATION_SCALES.search(name))

    def memory(self, names: Collection[str], transposed: Mapping[str, float] = NO_SHARES) -> int:
        """Bytes that these weights take in a program; those that the file does not have, none."""
        total = 0
        for name in names:
            shape, share = self._kept(name).shape, transposed.get(name, 0.0)
            total += memory_of(name, self._kept_as(name), shape, self._target, share)
        return total

    def is_quantized(self, name: str, part: Part | None = None) -> bool:
        """Whether the matrix, or a part of it, is packed as integer codes."""
        return self._packed_as(name, part) not in FLOATS

    def input_order(self, name: str) -> NDArray[np.int32] | None:
        """Which input of the matrix lies at each place of its rows; None: they come in order."""
        matrix = self._kept(name)
        if isinstance(matrix, ExpertMatrices):
            return None
        is_changed = self._adapters.changes(name)
        return matrix.order if self._packed_as(name) is matrix.kind and not is_changed else None

    def read_ahead(self, names: Sequence[str]) -> None:
        """Let the system read these matrices, which will be packed in this order."""
        tensors = [tensor for name in names for tensor in self._kept(name).names]
        sizes = [(one, self._checkpoint.tensors[one].nbytes) for one in dict.fromkeys(tensors)]
        self._batch.follow(ReadAhead(sizes, self._checkpoint.will_need))

    def pack(
        self, program: Program, name: str, rows: int, cols: int, part: Part | None = None
    ) -> int:
        """Let the matrix, or a part of it, be packed into the program; return its index there.

        The files' pages are given back to the system once they are copied.
        """
        shape = part.stored_shape(rows, cols) if part else (rows, cols)
        matrix = self._checked(name, shape)
        target = self._packed_as(name, part)
        kind, data = self._bytes_for(name, target, part)
        share = rows * cols / (shape[0] * shape[1])
        data = rows_of(data, rows, part, cols)
        path = self._checkpoint.path_of(matrix.names[0])
        stored = StoredMatrix(path, matrix.names[0], kind, rows, cols)
        in_file = sum(self._checkpoint.tensors[tensor].nbytes for tensor in matrix.names)
        forget = partial(self._forget, matrix.names)
        return self._batch.add(program, stored, data, target, forget, round(in_file * share))

    def pack_experts(
        self,
        program: Program,
        name: str,
        shape: tuple[int, int, int],
        part: Part | None = None,
    ) -> int:
        """Let the matrices `(experts, rows, columns)` be packed, one below the other.

        Parts are told by their names alone, as stacks.
        """
        if part is not None:
            raise ValueError(f"{name}: a part of experts' matrices has a name of its own")
        experts, target = self._experts(name, shape), self._packed_as(name)
        refuse_adapters(self._adapters, name)
        if isinstance(experts, QuantizedMatrices) and experts.kind is not target:
            experts = experts.as_floats()
        tensors = [experts.tensor(expert) for expert in range(shape[0])]
        matrices = [
            StoredMatrix(self._checkpoint.path_of(tensor), tensor, experts.kind, *shape[1:])
            for tensor in tensors
        ]
        stack = StoredStack(matrices, experts.matrix, partial(self._forget, experts.names))
        return self._batch.add_stack(program, stack, target)

    def expert_vectors(self, name: str, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Vectors `(experts, size)` as float32, end to end."""
        experts = self._experts(name, shape)
        data = np.concatenate([experts.matrix(expert) for expert in range(shape[0])])
        path = self._checkpoint.path_of(experts.names[0])
        return finite(to_float32(data, experts.kind), path, experts.names[0])

    def _experts(self, name: str, shape: tuple[int, ...]) -> ExpertMatrices:
        """Where a weight of all experts lies."""
        found = self._kept(name)
        if not isinstance(found, ExpertMatrices) or found.shape != shape:
            raise ModelFileError(
                f"{escape(self._checkpoint.path_of(found.names[0]))}: the experts that begin with "
                f"tensor {found.names[0]!r} are {by(found.shape)}, where config.json asks for "
                f"{by(shape)}"
            )
        return found

    def pack_rest(self, program: Program) -> None:
        """Pack the matrices that still wait."""
        self._batch.pack(program)

    def stays_in_file(self, name: str) -> bool:
        """Whether rows of the matrix can be looked up where they lie in the files."""
        matrix = self._matrix(name)
        is_plain = isinstance(matrix, PlainMatrix) and not matrix.transposed
        is_changed = self._adapters.changes(name)
        return is_plain and self._packed_as(name) is matrix.kind and not is_changed

    def use_in_file(self, program: Program, name: str, rows: int, cols: int) -> int:
        """Let the program look rows up in the file's map, which stays as long as it does."""
        matrix = self._checked(name, (rows, cols))
        path = self._checkpoint.path_of(matrix.names[0])
        stored = StoredMatrix(path, matrix.names[0], matrix.kind, rows, cols)
        forget = partial(self._forget, matrix.names)
        return self._batch.leave(program, stored, matrix.blocks(), forget)

    def vector(
        self, name: str, size: int, part: Part | None = None, heads: int = 1
    ) -> NDArray[np.float32]:
        """A vector, or a part of one, as float32 `(size,)`; of `heads`, a row of the file each."""
        matrix = self._checked(name, vector_shape(size, part, heads))
        data = rows_of(matrix.blocks(), size, part)
        path = self._checkpoint.path_of(matrix.names[0])
        values = finite(to_float32(data, matrix.kind), path, matrix.names[0])
        return values + np.float32(self._named(name).plus)

    def floats(self, name: str, rows: int, columns: int) -> NDArray[np.float32]:
        """A small matrix that is part of no product, as float32 `(rows, columns)`."""
        matrix = self._checked(name, as_kept(self._matrix(name).shape, rows, columns))
        values = matrix.values()
        known = self._named(name)
        if known.negated_log:
            exact = np.exp(values.astype(np.float64))  # float32's differs from machine to machine
            values = -exact.astype(np.float32)
        if known.softplus:
            values = softplus(values)
        path = self._checkpoint.path_of(matrix.names[0])
        return finite(values, path, matrix.names[0]).reshape(rows, columns)

    def _named(self, name: str) -> HFName:
        """What checkpoints call the weight of this name, and how they keep it."""
        head, _, rest = name.partition(".")
        layer, _, part = rest.partition(".")
        is_layer = head == "blk" and layer.isdecimal()
        known = self._names[f"blk.{{}}.{part}" if is_layer else name]
        return known.of_layer(layer) if is_layer else known

    def _kept(self, name: str) -> Matrix | ExpertMatrices:
        """The weight of this name, as the checkpoint keeps it."""
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = self._find(self._named(name))
        return found

    def _matrix(self, name: str) -> Matrix:
        found = self._kept(name)
        if isinstance(found, ExpertMatrices):
            raise ValueError(f"{name} is of all experts")
        return found

    def _find(self, known: HFName) -> Matrix | ExpertMatrices:
        if known.stacks:
            experts = find_experts(
                self._checkpoint,
                partial(find_tensor, self._checkpoint),
                partial(self._find_matrix, known=known),
                known.name,
                known.stacks,
            )
        for name in () if known.stacks else (known.name, *known.others):
            matrix = self._find_matrix(name, known)
            if matrix is not None:
                return matrix
        if known.stacks and experts is not None:
            return experts
        missing = known.name.format(0) or known.stacks[0].name
        raise ModelFileError(f"{escape(self._checkpoint.path)}: tensor {missing!r} is missing")

    def _find_matrix(self, name: str, known: HFName) -> Matrix | None:
        tensors = self._checkpoint.tensors
        for spelling in spellings(name):
            info = tensors.get(spelling)
            if info is not None and info.dtype in CHECKPOINT_TYPES:
                return PlainMatrix(self._checkpoint, spelling, transposed=known.transposed)
            module = spelling.removesuffix(".weight")
            quantized = None if self._form is None else self._form.find(module)
            if quantized is not None:
                return quantized
            if info is not None:
                raise UnsupportedModelError(
                    f"{escape(self._checkpoint.path_of(spelling))}: tensor {spelling!r} is "
                    f"{one_line(info.dtype, 20)}: must be F32, F16 or BF16"
                )
        return None

    def _checked(self, name: str, shape: tuple[int, ...]) -> Matrix:
        matrix = self._matrix(name)
        if matrix.shape not in (shape, (1, *shape)):  # a vector may be a matrix of one row
            order = -1 if self._named(name).transposed else 1  # as the file has it
            raise ModelFileError(
                f"{escape(self._checkpoint.path_of(matrix.names[0]))}: tensor "
                f"{matrix.names[0]!r} is "
                f"{by(matrix.shape[::order])}, where config.json asks for {by(shape[::order])}"
            )
        return matrix

    def _packed_as(self, name: str, part: Part | None = None) -> BlockType:
        return packed_type(name, self._kept_as(name, part), self._target)

    def _kept_as(self, name: str, part: Part | None = None) -> BlockType:
        """What it is packed as, unless quantized: a changed weight as the floats that it was."""
        kind = self._kept(name).kind
        if part is not None and part.is_transposed:
            return transposable(kind)
        is_kept = kind in FLOAT_TYPES or not self._adapters.changes(name)
        return kind if is_kept else TensorType.F32

    def _bytes_for(
        self, name: str, target: BlockType, part: Part | None
    ) -> tuple[BlockType, Bytes]:
        """The bytes from which it is packed as `target`, and their type: its own, or a float."""
        matrix, kept = self._matrix(name), self._kept_as(name, part)
        if self._adapters.changes(name):
            return changed(self._adapters.apply(name, matrix.values()), kept, target)
        if matrix.kind in FLOAT_TYPES or matrix.kind is kept is target:
            return matrix.kind, matrix.blocks()
        return TensorType.F32, float_bytes(matrix.values(), TensorType.F32)

    def _forget(self, names: Sequence[str]) -> None:
        for name in names:
            self._checkpoint.forget_pages(name)
