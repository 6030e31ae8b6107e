"""AWQ (Lin et al. 2023, arXiv 2306.00978), as AutoAWQ saves it for its GEMM kernels.

`qweight` (inputs, outputs / 8), `qzeros` (groups, outputs / 8): words with the codes of eight
outputs, in the order 0 2 4 6 1 3 5 7. `scales` (groups, outputs).
"""

from __future__ import annotations

import numpy as np

from foretell.backends.native._core import WordOrder
from foretell.backends.native.weights.forms.base import Matrix, Tensors
from foretell.backends.native.weights.forms.gptq import INTEGERS, MAX_GROUP
from foretell.backends.native.weights.forms.grouped import GroupedMatrix, codes_of_words
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import quote

FORMATS = ("gemm", "exllama")
"""Names of the same layout: the second asks for other kernels."""


class AWQ:
    """Matrices that AWQ has quantized."""

    def __init__(self, tensors: Tensors, config: MetadataReader) -> None:
        self._tensors = tensors
        if config.integer("bits", 1, 32, 4) != 4:
            raise config.unsupported("AWQ in other than 4 bits")
        self._group_size = config.integer("group_size", -1, MAX_GROUP, 128)
        if self._group_size == 0:
            raise config.wrong("group_size is 0: must be -1 or the number of inputs in a group")
        key = "version" if "version" in config else "format"
        name = config.text(key, "gemm")
        if name.lower() not in FORMATS or config.values.get("backend") == "llm-awq":
            raise config.unsupported(f"AWQ in the format {quote(name)} (other than gemm)")
        if not config.flag("zero_point", True):
            raise config.unsupported("AWQ with zero_point=false")

    def find(self, module: str) -> Matrix | None:
        """The matrix of this module; None if it has no `qweight`."""
        names = tuple(f"{module}.{part}" for part in ("qweight", "qzeros", "scales"))
        tensors = self._tensors
        if names[0] not in tensors:
            return None
        cols, width = tensors.matrix_shape(names[0])
        groups, rows = tensors.matrix_shape(names[2])[0], width * 8
        size = cols if self._group_size == -1 else self._group_size
        if cols % size or groups != cols // size:
            tensors.fail(
                names[2],
                f"has {groups} groups, for {cols} inputs and group_size={self._group_size}: must "
                "divide them evenly",
            )
        zeros = tensors.array(names[1], INTEGERS, (groups, width))
        layout = WordOrder.rows_interleaved
        return GroupedMatrix(
            names=names,
            shape=(rows, cols),
            words=tensors.array(names[0], INTEGERS, (cols, width)),
            layout=layout,
            bits=4,
            groups=groups,
            scales=lambda: np.ascontiguousarray(tensors.floats(names[2], (groups, rows)).T),
            zeros=lambda: np.ascontiguousarray(codes_of_words(zeros, layout, 4)),
        )
