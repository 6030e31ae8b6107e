"""LoRA (Hu et al. 2021, arXiv 2106.09685): W + factor · B A."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelFileError
from foretell.formats.safetensors import SafetensorsFile
from foretell.utils.quoting import escape, quote

MAX_RANK = 2**16
_ROWS = 64  # of a weight that are changed together, in the near caches
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LowRank:
    """One module's change.

    Attributes:
        path: the file, for messages.
        name: what it calls the module.
        a: `(rank, inputs)`.
        b: `(outputs, rank)`.
        factor: of the product, such as alpha / rank.
    """

    path: Path
    name: str
    a: Floats = field(repr=False)
    b: Floats = field(repr=False)
    factor: float

    def add_to(self, weight: Floats, share: float) -> None:
        """Add `share` of the change to a weight `(outputs, inputs)`.

        Term by term in float32, so that the bits are the same on any machine.
        """
        shape = (len(self.b), self.a.shape[1])
        if weight.shape != shape:
            self.fail(f"is for {shape[0]} × {shape[1]}: the model's is {_by(weight.shape)}")
        b = self.b * np.float32(self.factor * share)
        for first in range(0, len(weight), _ROWS):
            rows = weight[first : first + _ROWS]
            change = np.zeros_like(rows)
            term = np.empty_like(rows)
            for k in range(len(self.a)):
                np.multiply(b[first : first + _ROWS, k, None], self.a[k], out=term)
                change += term
            rows += change

    def fail(self, reason: str) -> NoReturn:
        """Raise the ModelFileError that names the module and its file."""
        raise ModelFileError(f"{escape(self.path)}: the change of {quote(self.name)} {reason}")


@dataclass(frozen=True)
class ReadAdapter:
    """What one adapter's files hold.

    Attributes:
        path: its folder or file.
        names_of: whose names its modules have: "hub" for transformers', "gguf" for those of GGUF.
        changes: by module, such as "model.layers.0.mlp.up_proj", or "blk.0.ffn_up".
        replaced: where whole tensors lie that take a model's place; each by its name in the model.
    """

    path: Path
    names_of: str
    changes: dict[str, LowRank]
    replaced: SafetensorsFile | None = None


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
