"""The weights of a GGUF file."""

from __future__ import annotations

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
from foretell.backends.native.weights.decode import decode
from foretell.backends.native.weights.forms.base import by
from foretell.backends.native.weights.quantize import FLOAT_TYPES, NUMBER_DTYPES, to_float32
from foretell.backends.native.weights.read_ahead import ReadAhead
from foretell.backends.native.weights.rules import (
    QUANTIZED_TYPES,
    Bytes,
    as_kept,
    changed,
    finite,
    is_kept,
    memory_of,
    packed_type,
    refuse_adapters,
    rows_of,
    transposable,
    vector_shape,
)
from foretell.backends.native.weights.source import NO_SHARES, Part
from foretell.errors import ConfigError, ModelFileError, UnsupportedModelError
from foretell.formats.gguf import GGUFFile
from foretell.formats.types import VECTOR_TYPES, BlockType, TensorInfo, TensorType
from foretell.utils.quoting import escape


class GGUFWeights:
    """The tensors of a GGUF file. Any that a plan names must be there, in the shape it expects.

    Args:
        file: an open file.
        quantize: quantize its float matrices so, where they are packed.
        on_packed: called after each matrix.
        adapters: what is added to its weights.
    """

    def __init__(
        self,
        file: GGUFFile,
        quantize: Quantize | None = None,
        on_packed: OnPacked = lambda num_bytes: None,
        adapters: Adapters | None = None,
    ) -> None:
        self._adapters = adapters or Adapters()
        self._file = file
        self._batch = PackingBatch(on_packed)
        self._target = None if quantize is None else QUANTIZED_TYPES[quantize]
        if quantize is not None and not _has_float_matrix(file):
            raise ConfigError(
                f"quantize={quantize!r} has no effect on {escape(file.path)}: it is quantized "
                "already"
            )

    def unread(self, names: Collection[str], spare: Collection[str] = ()) -> list[str]:
        """The file's tensors that change a model's answers, but are none of these weights'."""
        left = [name for name in self._file.tensors if name not in names and name not in spare]
        return [name for name in left if not name.endswith(".attn_rot_embd.weight")]

    def memory(self, names: Collection[str], transposed: Mapping[str, float] = NO_SHARES) -> int:
        """Bytes that these weights take in a program; those that the file does not have, none."""
        total = 0
        for name in names:
            info, share = self._file.tensors.get(name), transposed.get(name, 0.0)
            if info is not None:
                kept = self._kept_as(info)
                total += memory_of(name, kept, info.shape, self._target, share)
        return total

    def read_ahead(self, names: Sequence[str]) -> None:
        """Let the system read these matrices, which will be packed in this order."""
        found = (self._file.tensors[name] for name in names if name in self._file.tensors)
        sizes = [(info.name, info.nbytes) for info in found]
        self._batch.follow(ReadAhead(sizes, self._file.will_need))

    def rows(self, name: str) -> int:
        """How many rows the matrix has."""
        return self._info(name).shape[0]

    def is_quantized(self, name: str, part: Part | None = None) -> bool:
        """Whether the matrix, or a part of it, is packed as integer codes."""
        return self._packed_as(name, part) not in FLOAT_TYPES

    def input_order(self, name: str) -> NDArray[np.int32] | None:
        """None: in a GGUF file inputs come in order."""
        return None

    def pack(
        self, program: Program, name: str, rows: int, cols: int, part: Part | None = None
    ) -> int:
        """Let the matrix, or a part of it, be packed into the program; return its index there.

        The file's pages are given back to the system once they are copied, so that a model does
        not lie in memory twice.
        """
        shape = part.stored_shape(rows, cols) if part else (rows, cols)
        info = self._checked(name, shape)
        self._refuse_vector(name, info.type)
        target = self._packed_as(name, part)
        kind, data = self._bytes_for(info, target, part)
        data = rows_of(data, rows, part, cols)
        matrix = StoredMatrix(self._file.path_of(name), name, kind, rows, cols)
        forget = partial(self._file.forget_pages, name)
        share = rows * cols / (shape[0] * shape[1])
        return self._batch.add(program, matrix, data, target, forget, round(info.nbytes * share))

    def pack_experts(
        self,
        program: Program,
        name: str,
        shape: tuple[int, int, int],
        part: Part | None = None,
    ) -> int:
        """Let the matrices `(experts, rows, columns)` be packed, one below the other.

        Or that part of each.
        """
        experts, rows, cols = shape
        whole = (experts, part.total if part else rows, cols)
        path, kind = self._file.path_of(name), self._checked(name, whole).type
        self._refuse_vector(name, kind)
        refuse_adapters(self._adapters, name)
        data = self._file.data(name).reshape(experts, -1)
        matrices = [StoredMatrix(path, name, kind, rows, cols)] * experts
        stack = StoredStack(
            matrices,
            lambda expert: rows_of(data[expert], rows, part),
            partial(self._file.forget_pages, name),
        )
        return self._batch.add_stack(program, stack, packed_type(name, kind, self._target))

    def expert_vectors(self, name: str, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Vectors `(experts, size)` as float32, end to end."""
        return self._numbers(self._checked(name, shape), self._file.data(name))

    def _refuse_vector(self, name: str, kind: TensorType) -> None:
        if kind in VECTOR_TYPES:
            raise UnsupportedModelError(
                f"{escape(self._file.path_of(name))}: tensor {name!r} is {kind.name}: only a "
                "vector can be, ggml has no products with it"
            )

    def pack_rest(self, program: Program) -> None:
        """Pack the matrices that still wait."""
        self._batch.pack(program)

    def stays_in_file(self, name: str) -> bool:
        """Whether rows of the matrix can be looked up where they lie in the file."""
        kind = self._info(name).type
        is_changed = self._adapters.changes(name)
        return kind not in VECTOR_TYPES and self._packed_as(name) is kind and not is_changed

    def use_in_file(self, program: Program, name: str, rows: int, cols: int) -> int:
        """Let the program look rows up in the file's map, which stays as long as it does."""
        kind = self._checked(name, (rows, cols)).type
        matrix = StoredMatrix(self._file.path_of(name), name, kind, rows, cols)
        forget = partial(self._file.forget_pages, name)
        return self._batch.leave(program, matrix, self._file.data(name), forget)

    def vector(
        self, name: str, size: int, part: Part | None = None, heads: int = 1
    ) -> NDArray[np.float32]:
        """A vector, or a part of one, as float32 `(size,)`; of `heads`, a row of the file each."""
        info = self._checked(name, vector_shape(size, part, heads))
        return self._numbers(info, rows_of(self._file.data(name), size, part))

    def _numbers(self, info: TensorInfo, data: NDArray[np.uint8]) -> NDArray[np.float32]:
        name = info.name
        if info.type not in (TensorType.BF16, *NUMBER_DTYPES):
            raise ModelFileError(
                f"{escape(self._file.path_of(name))}: tensor {name!r} is {info.type.name}: "
                f"a vector must be floats or integers"
            )
        values = to_float32(data, info.type)
        return finite(values, self._file.path_of(name), name)

    def floats(self, name: str, rows: int, columns: int) -> NDArray[np.float32]:
        """A small matrix that is part of no product, as float32 `(rows, columns)`."""
        info = self._info(name)
        kept = as_kept(info.shape, rows, columns)
        self._checked(name, kept)
        return self._numbers(info, self._file.data(name)).reshape(rows, columns)

    def _packed_as(self, name: str, part: Part | None = None) -> BlockType:
        return packed_type(name, self._kept_as(self._info(name), part), self._target)

    def _kept_as(self, info: TensorInfo, part: Part | None = None) -> BlockType:
        """Its type in the file; what is added to a quantized weight makes it float32."""
        is_transposed = part is not None and part.is_transposed
        is_changed = self._adapters.changes(info.name)
        return transposable(info.type) if is_transposed or is_changed else info.type

    def _bytes_for(
        self, info: TensorInfo, target: BlockType, part: Part | None
    ) -> tuple[BlockType, Bytes]:
        data, kept = self._file.data(info.name), self._kept_as(info, part)
        is_changed = self._adapters.changes(info.name)
        if not is_changed and kept is info.type:
            return info.type, data
        try:
            values = decode(info.type, data, *info.shape)
        except ValueError as error:
            path = escape(self._file.path_of(info.name))
            raise ModelFileError(f"{path}: tensor {info.name!r} {error}") from None
        if is_changed:
            values = self._adapters.apply(info.name, values)
        return changed(values, kept, target)

    def _info(self, name: str) -> TensorInfo:
        info = self._file.tensors.get(name)
        if info is None:
            raise ModelFileError(
                f"{escape(self._file.path)}: tensor {name!r} is missing{self._file.doubt}"
            )
        return info

    def _checked(self, name: str, shape: tuple[int, ...]) -> TensorInfo:
        info = self._info(name)
        if shape not in (info.shape, (1, *info.shape)):  # a matrix of one row may lack that axis
            raise ModelFileError(
                f"{escape(self._file.path_of(name))}: tensor {name!r} is {by(info.shape)}, "
                f"where the metadata asks for {by(shape)}"
            )
        return info


def _has_float_matrix(file: GGUFFile) -> bool:
    matrices = (info for info in file.tensors.values() if len(info.shape) > 1)
    return any(info.type in FLOAT_TYPES and not is_kept(info.name) for info in matrices)
