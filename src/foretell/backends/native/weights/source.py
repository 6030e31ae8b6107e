"""What a plan asks of a model file, with every shape checked."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import Program, packed_bytes
from foretell.backends.native.options import Quantize
from foretell.backends.native.weights.batch import OnPacked, PackingBatch, StoredMatrix
from foretell.backends.native.weights.quantize import FLOAT_TYPES, NUMBER_DTYPES, to_float32
from foretell.backends.native.weights.read_ahead import ReadAhead
from foretell.errors import ConfigError, ModelFileError, UnsupportedModelError
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.types import VECTOR_TYPES, TensorInfo, TensorType
from foretell.utils.quoting import escape, one_line

QUANTIZED_TYPES: dict[Quantize, TensorType] = {"q8": TensorType.Q8_0, "q4": TensorType.Q4_1}
KEPT = ("position_embd.weight",)
"""Matrices that `quantize` leaves as they are: they are no part of a product."""

CHECKPOINT_TYPES = {"F32": TensorType.F32, "F16": TensorType.F16, "BF16": TensorType.BF16}
BASE_PREFIXES = ("model.", "transformer.")
HARMLESS = re.compile(r"\brotary_emb\.inv_freq$|\battn\.(masked_)?bias$")
"""Tensors of checkpoints that are computed anew, as by transformers: frequencies, GPT-2's masks."""


@dataclass(frozen=True)
class Part:
    """Rows of a weight that holds several: from `begin` on, of `total`."""

    begin: int
    total: int


class WeightSource(Protocol):
    """Where the weights that a plan names come from."""

    def unread(self, names: Collection[str]) -> list[str]:
        """The file's tensors that change a model's answers, but are none of these weights'."""
        ...

    def memory(self, names: Collection[str]) -> int:
        """Bytes that these weights take in a program; those that the file does not have, none."""
        ...

    def is_quantized(self, name: str) -> bool:
        """Whether the matrix is packed as integer codes."""
        ...

    def read_ahead(self, names: Sequence[str]) -> None:
        """Let the system read these matrices, which will be packed in this order."""
        ...

    def pack(
        self, program: Program, name: str, rows: int, cols: int, part: Part | None = None
    ) -> int:
        """Let the matrix, or a part of it, be packed into the program; return its index there.

        It is packed together with others, by this call, a later one or `pack_rest`.
        """
        ...

    def pack_rest(self, program: Program) -> None:
        """Pack the matrices that still wait.

        ModelFileError if a weight is not finite: so may `pack`.
        """
        ...

    def stays_in_file(self, name: str) -> bool:
        """Whether rows of the matrix can be looked up where they lie in the file."""
        ...

    def use_in_file(self, program: Program, name: str, rows: int, cols: int) -> int:
        """Let the program look rows up in the file's map, which stays as long as it does.

        Returns the matrix's index among those of the program that lie in files. ModelFileError if
        a weight is not finite, as for `pack`.
        """
        ...

    def vector(self, name: str, size: int, part: Part | None = None) -> NDArray[np.float32]:
        """A vector, or a part of one, as float32 `(size,)`."""
        ...


class GGUFWeights:
    """The tensors of a GGUF file. Any that a plan names must be there, in the shape it expects.

    Args:
        file: an open file.
        quantize: quantize its float matrices so, where they are packed.
        on_packed: called after each matrix.
    """

    def __init__(
        self,
        file: GGUFFile,
        quantize: Quantize | None = None,
        on_packed: OnPacked = lambda num_bytes: None,
    ) -> None:
        self._file = file
        self._batch = PackingBatch(on_packed)
        self._target = None if quantize is None else QUANTIZED_TYPES[quantize]
        if quantize is not None and not _has_float_matrix(file):
            raise ConfigError(
                f"quantize={quantize!r} has no effect on {escape(file.path)}: it is quantized "
                "already"
            )

    def unread(self, names: Collection[str]) -> list[str]:
        """The file's tensors that change a model's answers, but are none of these weights'."""
        left = [name for name in self._file.tensors if name not in names]
        return [name for name in left if not name.endswith(".attn_rot_embd.weight")]

    def memory(self, names: Collection[str]) -> int:
        """Bytes that these weights take in a program; those that the file does not have, none."""
        found = (self._file.tensors[name] for name in names if name in self._file.tensors)
        return sum(_memory_of(info.name, info.type, info.shape, self._target) for info in found)

    def read_ahead(self, names: Sequence[str]) -> None:
        """Let the system read these matrices, which will be packed in this order."""
        found = (self._file.tensors[name] for name in names if name in self._file.tensors)
        sizes = [(info.name, info.nbytes) for info in found]
        self._batch.follow(ReadAhead(sizes, self._file.will_need))

    def rows(self, name: str) -> int:
        """How many rows the matrix has."""
        return self._info(name).shape[0]

    def is_quantized(self, name: str) -> bool:
        """Whether the matrix is packed as integer codes."""
        return _packed_type(name, self._info(name).type, self._target) not in FLOAT_TYPES

    def pack(
        self, program: Program, name: str, rows: int, cols: int, part: Part | None = None
    ) -> int:
        """Let the matrix, or a part of it, be packed into the program; return its index there.

        The file's pages are given back to the system once they are copied, so that a model does
        not lie in memory twice.
        """
        kind = self._checked(name, (part.total if part else rows, cols)).type
        if kind in VECTOR_TYPES:
            raise UnsupportedModelError(
                f"{escape(self._file.path_of(name))}: tensor {name!r} is {kind.name}: only a "
                "vector can be, ggml has no products with it"
            )
        data = _rows_of(self._file.data(name), rows, part)
        matrix = StoredMatrix(self._file.path_of(name), name, kind, rows, cols)
        target = _packed_type(name, kind, self._target)
        forget = partial(self._file.forget_pages, name)
        return self._batch.add(program, matrix, data, target, forget)

    def pack_rest(self, program: Program) -> None:
        """Pack the matrices that still wait."""
        self._batch.pack(program)

    def stays_in_file(self, name: str) -> bool:
        """Whether rows of the matrix can be looked up where they lie in the file."""
        kind = self._info(name).type
        return kind not in VECTOR_TYPES and _packed_type(name, kind, self._target) is kind

    def use_in_file(self, program: Program, name: str, rows: int, cols: int) -> int:
        """Let the program look rows up in the file's map, which stays as long as it does."""
        kind = self._checked(name, (rows, cols)).type
        matrix = StoredMatrix(self._file.path_of(name), name, kind, rows, cols)
        forget = partial(self._file.forget_pages, name)
        return self._batch.leave(program, matrix, self._file.data(name), forget)

    def vector(self, name: str, size: int, part: Part | None = None) -> NDArray[np.float32]:
        """A vector, or a part of one, as float32 `(size,)`."""
        info = self._checked(name, (part.total if part else size,))
        if info.type not in (TensorType.BF16, *NUMBER_DTYPES):
            raise ModelFileError(
                f"{escape(self._file.path_of(name))}: tensor {name!r} is {info.type.name}: "
                f"a vector must be floats or integers"
            )
        values = to_float32(_rows_of(self._file.data(name), size, part), info.type)
        return _finite(values, self._file.path_of(name), name)

    def _info(self, name: str) -> TensorInfo:
        info = self._file.tensors.get(name)
        if info is None:
            raise ModelFileError(
                f"{escape(self._file.path)}: tensor {name!r} is missing{self._file.doubt}"
            )
        return info

    def _checked(self, name: str, shape: tuple[int, ...]) -> TensorInfo:
        info = self._info(name)
        if info.shape != shape:
            raise ModelFileError(
                f"{escape(self._file.path_of(name))}: tensor {name!r} is {_by(info.shape)}, "
                f"where the metadata asks for {_by(shape)}"
            )
        return info


@dataclass(frozen=True)
class HFName:
    """What a checkpoint calls a weight, and how it keeps it.

    Attributes:
        name: the tensor's name, `{}` for the number of the layer. A first part `model.` or
            `transformer.` may be missing in the file.
        transposed: kept as `(columns, rows)`, as GPT-2's are.
        plus: what is added to each value of a vector: 1 for norms that are kept around 0.
    """

    name: str
    transposed: bool = False
    plus: float = 0.0


class CheckpointWeights:
    """The tensors of a checkpoint, by the names that GGUF files give them.

    Any that a plan names must be there, in the shape it expects.

    Args:
        checkpoint: an open folder.
        names: what the checkpoint calls each weight, `{}` in both for the number of the layer.
        quantize: quantize the matrices so, where they are packed.
        on_packed: called after each matrix.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        names: Mapping[str, HFName],
        quantize: Quantize | None = None,
        on_packed: OnPacked = lambda num_bytes: None,
    ) -> None:
        self._checkpoint = checkpoint
        self._batch = PackingBatch(on_packed)
        self._names = names
        self._target = None if quantize is None else QUANTIZED_TYPES[quantize]

    def unread(self, names: Collection[str]) -> list[str]:
        """The folder's tensors that change a model's answers, but are none of these weights'."""
        read = {self._stored(name).name for name in names}
        read.add(self._names["output.weight"].name)  # unread, it is the embedding again
        left = [name for name in self._checkpoint.tensors if name not in read]
        return [name for name in left if not HARMLESS.search(name)]

    def memory(self, names: Collection[str]) -> int:
        """Bytes that these weights take in a program; those that the file does not have, none."""
        total = 0
        for name in names:
            stored = self._stored(name)
            info = self._checkpoint.tensors[stored.name]
            kind = CHECKPOINT_TYPES.get(info.dtype)
            if kind is not None:
                shape = info.shape[::-1] if stored.transposed else info.shape
                total += _memory_of(name, kind, shape, self._target)
        return total

    def is_quantized(self, name: str) -> bool:
        """Whether the matrix is packed as integer codes."""
        return self._target is not None and name not in KEPT

    def read_ahead(self, names: Sequence[str]) -> None:
        """Let the system read these matrices, which will be packed in this order."""
        stored = [self._checkpoint.tensors[self._stored(name).name] for name in names]
        sizes = [(info.name, info.nbytes) for info in stored]
        self._batch.follow(ReadAhead(sizes, self._checkpoint.will_need))

    def pack(
        self, program: Program, name: str, rows: int, cols: int, part: Part | None = None
    ) -> int:
        """Let the matrix, or a part of it, be packed into the program; return its index there.

        The files' pages are given back to the system once they are copied.
        """
        stored = self._stored(name)
        height = part.total if part else rows
        shape = (cols, height) if stored.transposed else (height, cols)
        kind = self._kind(stored.name, shape)
        data = self._checkpoint.data(stored.name)
        if stored.transposed:
            data = _transpose(data, shape)
        data = _rows_of(data, rows, part)
        matrix = StoredMatrix(self._checkpoint.path, stored.name, kind, rows, cols)
        target = _packed_type(name, kind, self._target)
        forget = partial(self._checkpoint.forget_pages, stored.name)
        return self._batch.add(program, matrix, data, target, forget)

    def pack_rest(self, program: Program) -> None:
        """Pack the matrices that still wait."""
        self._batch.pack(program)

    def stays_in_file(self, name: str) -> bool:
        """Whether rows of the matrix can be looked up where they lie in the files."""
        stored = self._stored(name)
        kind = CHECKPOINT_TYPES.get(self._checkpoint.tensors[stored.name].dtype)
        if kind is None or stored.transposed:
            return False
        return _packed_type(name, kind, self._target) is kind

    def use_in_file(self, program: Program, name: str, rows: int, cols: int) -> int:
        """Let the program look rows up in the file's map, which stays as long as it does."""
        stored = self._stored(name)
        kind = self._kind(stored.name, (rows, cols))
        matrix = StoredMatrix(self._checkpoint.path, stored.name, kind, rows, cols)
        forget = partial(self._checkpoint.forget_pages, stored.name)
        return self._batch.leave(program, matrix, self._checkpoint.data(stored.name), forget)

    def vector(self, name: str, size: int, part: Part | None = None) -> NDArray[np.float32]:
        """A vector, or a part of one, as float32 `(size,)`."""
        stored = self._stored(name)
        kind = self._kind(stored.name, (part.total if part else size,))
        data = _rows_of(self._checkpoint.data(stored.name), size, part)
        values = _finite(to_float32(data, kind), self._checkpoint.path, stored.name)
        return values + np.float32(stored.plus)

    def _stored(self, name: str) -> HFName:
        """The tensor of this name: what the file calls it exactly."""
        head, _, rest = name.partition(".")
        layer, _, part = rest.partition(".")
        is_layer = head == "blk" and layer.isdecimal()
        known = self._names[f"blk.{{}}.{part}" if is_layer else name]
        full = known.name.format(layer) if is_layer else known.name
        found = find_tensor(self._checkpoint, full)
        if found is None:
            raise ModelFileError(f"{escape(self._checkpoint.path)}: tensor {full!r} is missing")
        return HFName(found, known.transposed, known.plus)

    def _kind(self, name: str, shape: tuple[int, ...]) -> TensorType:
        info = self._checkpoint.tensors[name]
        where = f"{escape(self._checkpoint.path)}: tensor {name!r}"
        if info.shape != shape:
            raise ModelFileError(
                f"{where} is {_by(info.shape)}, where config.json asks for {_by(shape)}"
            )
        kind = CHECKPOINT_TYPES.get(info.dtype)
        if kind is None:
            raise UnsupportedModelError(
                f"{where} is {one_line(info.dtype, 20)}: must be F32, F16 or BF16"
            )
        return kind


def find_tensor(checkpoint: Checkpoint, name: str) -> str | None:
    """What the checkpoint calls this tensor, with or without its first part; None: not there."""
    spellings = [name.removeprefix(prefix) for prefix in ("", *BASE_PREFIXES)]
    return next((spelling for spelling in spellings if spelling in checkpoint.tensors), None)


def _packed_type(name: str, stored: TensorType, target: TensorType | None) -> TensorType:
    keeps = target is None or stored not in FLOAT_TYPES or name in KEPT
    return stored if keeps or target is None else target


def _memory_of(
    name: str, stored: TensorType, shape: tuple[int, ...], target: TensorType | None
) -> int:
    """Bytes of a weight in a program: of a matrix in its packed format, of a vector in float32."""
    if len(shape) != 2 or stored in VECTOR_TYPES:
        return prod(shape) * 4
    return packed_bytes(_packed_type(name, stored, target).ggml_id, *shape)


def _has_float_matrix(file: GGUFFile) -> bool:
    matrices = (info for info in file.tensors.values() if len(info.shape) > 1)
    return any(info.type in FLOAT_TYPES and info.name not in KEPT for info in matrices)


def _rows_of(data: NDArray[np.uint8], rows: int, part: Part | None) -> NDArray[np.uint8]:
    """The bytes of that part of a weight's rows."""
    if part is None:
        return data
    row_bytes = len(data) // part.total
    return data[part.begin * row_bytes : (part.begin + rows) * row_bytes]


def _transpose(data: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The bytes of the transposed matrix; `shape` is how it is stored."""
    items = data.reshape(*shape, -1)
    return np.ascontiguousarray(items.swapaxes(0, 1)).reshape(-1)


def _finite(values: NDArray[np.float32], path: Path, name: str) -> NDArray[np.float32]:
    if not np.isfinite(values).all():
        raise ModelFileError(f"{escape(path)}: tensor {name!r} holds NaN or infinite weights")
    return values


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(str(size) for size in shape) or "a single number"
