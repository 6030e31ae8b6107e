"""GPTQ (Frantar et al. 2022, arXiv 2210.17323), as AutoGPTQ and GPTQModel save it.

`qweight` (inputs · bits / 32, outputs): codes along the inputs. `qzeros` (groups, outputs · bits /
32), `scales` (groups, outputs), `g_idx` (inputs): the group of each, in any order if they were
quantized by decreasing activation. The first version of the format keeps zeros less 1, subtracted
from whole words: adding it back the same way gives what was there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.backends.native._core import WordOrder
from foretell.backends.native.weights.forms.base import Matrix, Tensors
from foretell.backends.native.weights.forms.grouped import BITS, GroupedMatrix, codes_of_lines
from foretell.formats.metadata import MetadataReader
from foretell.utils.quoting import quote

INTEGERS = ("I32", "U32")
MAX_GROUP = 2**24
FORMATS = {"gptq": 1, "gptq_v2": 2}
_NEUTRAL = {
    "is_marlin_format": (False,),
    "planar": (False,),
    "pack_dtype": ("int32",),
    "rotation": ("",),
    "adapter": (),
}
"""What else a config may say that would lay the tensors out otherwise, or add to them."""


class GPTQ:
    """Matrices that GPTQ has quantized."""

    def __init__(self, tensors: Tensors, config: MetadataReader) -> None:
        self._tensors = tensors
        self._bits = config.integer("bits", min(BITS), max(BITS))
        self._group_size = config.integer("group_size", -1, MAX_GROUP, 128)
        if self._bits not in BITS:
            raise config.wrong(f"bits is {self._bits}: must be one of 2, 3, 4 and 8")
        if self._group_size == 0:
            raise config.wrong("group_size is 0: must be -1 or the number of inputs in a group")
        key = "checkpoint_format" if "checkpoint_format" in config else "format"
        name = config.text(key, "gptq")
        if name.lower() not in FORMATS:
            raise config.unsupported(f"GPTQ in the format {quote(name)}")
        self._version = FORMATS[name.lower()]
        for key, harmless in _NEUTRAL.items():
            value = config.values.get(key)
            if value is not None and value not in harmless:
                raise config.unsupported(f"GPTQ with {key}={quote(value)}")
        self._has_rules = bool(config.values.get("dynamic"))
        self._is_ordered = config.flag("desc_act", False) and not self._has_rules

    def find(self, module: str) -> Matrix | None:
        """The matrix of this module; None if it has no `qweight`."""
        name, tensors = f"{module}.qweight", self._tensors
        if name not in tensors:
            return None
        parts = tuple(f"{module}.{part}" for part in ("qzeros", "scales", "g_idx"))
        height, rows = tensors.matrix_shape(name)
        names = (name, *(part for part in parts if part in tensors))
        cols = self._num_inputs(name, parts[2], height)
        bits = self._bits_of(name, height, cols)
        groups = tensors.matrix_shape(parts[1])[0]
        self._check_groups(parts[1], groups, cols)
        if rows * bits % 32:
            tensors.fail(name, f"has {rows} outputs of {bits} bits: must fill words of 32")
        words = tensors.array(parts[0], INTEGERS, (groups, rows * bits // 32))
        return GroupedMatrix(
            names=names,
            shape=(rows, cols),
            words=tensors.array(name, INTEGERS, (height, rows)),
            layout=WordOrder.inputs_down,
            bits=bits,
            groups=groups,
            scales=lambda: np.ascontiguousarray(tensors.floats(parts[1], (groups, rows)).T),
            zeros=lambda: np.ascontiguousarray(zeros_of_words(words, bits, self._version).T),
            group_of=self._group_of(parts[2], cols, groups),
        )

    def _num_inputs(self, name: str, g_idx: str, height: int) -> int:
        """As many as are in `g_idx`; without one, as the config's bits make of the words."""
        if g_idx in self._tensors:
            shape = self._tensors.shape(g_idx)
            if len(shape) != 1 or not shape[0]:
                self._tensors.fail(g_idx, "must be a vector, a group for each input")
            return shape[0]
        if height * 32 % self._bits:
            self._tensors.fail(name, f"has {height} words: no whole number of codes")
        return height * 32 // self._bits

    def _bits_of(self, name: str, height: int, cols: int) -> int:
        bits = height * 32 / cols
        wanted = BITS if self._has_rules else (self._bits,)
        if bits not in wanted:
            allowed = ", ".join(map(str, wanted))
            self._tensors.fail(
                name,
                f"has {height} words for {cols} inputs, {bits:g} bits each: must be {allowed}, as "
                "quantization_config says",
            )
        return int(bits)

    def _check_groups(self, name: str, groups: int, cols: int) -> None:
        size = cols if self._group_size == -1 else self._group_size
        if not self._has_rules and groups != -(-cols // size):
            self._tensors.fail(
                name,
                f"has {groups} groups: must be {-(-cols // size)}, for {cols} inputs and "
                f"group_size={self._group_size}",
            )

    def _group_of(self, name: str, cols: int, groups: int) -> NDArray[np.int32] | None:
        """The groups of the inputs; None where they are as large as each other, and in order."""
        size = -(-cols // groups)
        usual = (np.arange(cols) // size).astype(np.int32)
        if name not in self._tensors:
            if self._is_ordered and groups > 1:
                self._tensors.shape(name)  # says that it is missing
            return None if cols % groups == 0 else usual
        found = self._tensors.array(name, INTEGERS, (cols,)).view(np.int32)
        if not found.any():  # what files without an order of their own may have there
            found = usual
        if found.min() < 0 or found.max() >= groups:
            worst = int(found.min() if found.min() < 0 else found.max())
            self._tensors.fail(name, f"names group {worst}: must be from 0 to {groups - 1}")
        return None if cols % groups == 0 and np.array_equal(found, usual) else found


def zeros_of_words(words: NDArray[np.uint32], bits: int, version: int) -> NDArray[np.uint8]:
    """The zeros `(groups, outputs)` of words `(groups, …)`."""
    if version > 1:
        return codes_of_lines(np.ascontiguousarray(words), bits)
    if bits == 3:
        return codes_of_lines(np.ascontiguousarray(words), 3) + np.uint8(1) & np.uint8(7)
    ones = np.uint32(sum(1 << at for at in range(0, 32, bits)))
    return codes_of_lines(words + ones, bits)
