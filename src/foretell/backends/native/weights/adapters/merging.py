"""Adapters and a model: which weights are meant, and what becomes of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from foretell.backends.native.options import AdapterChoice
from foretell.backends.native.weights.adapters.gguf_file import read_gguf_adapter
from foretell.backends.native.weights.adapters.low_rank import Floats, LowRank, ReadAdapter
from foretell.backends.native.weights.adapters.peft import read_peft
from foretell.errors import ModelFileError, ModelNotFoundError, UnsupportedModelError
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.utils.quoting import escape, name_some, quote


@dataclass(frozen=True)
class OpenAdapter:
    """An adapter that was read, and how much of it is added."""

    read: ReadAdapter
    weight: float

    @property
    def title(self) -> str:
        """What people call it, and its weight if that is not 1."""
        name = self.read.path.name
        return name if self.weight == 1 else f"{name} × {self.weight:g}"


class Adapters:
    """Adapters of one model, by the names that its plan has for weights."""

    def __init__(self, adapters: Sequence[OpenAdapter] = ()) -> None:
        self._adapters = adapters
        self._changes: dict[str, list[tuple[LowRank, float]]] = {}
        self._applied: set[str] = set()

    @property
    def titles(self) -> list[str]:
        """What people call them, in order."""
        return [adapter.title for adapter in self._adapters]

    def replace_tensors(self, file: GGUFFile | Checkpoint) -> None:
        """Let whole tensors that adapters bring take the place of the checkpoint's.

        UnsupportedModelError if the model is a GGUF file.
        """
        for adapter in self._adapters:
            replaced = adapter.read.replaced
            if replaced is None:
                continue
            where = escape(replaced.path)
            if isinstance(file, GGUFFile):
                raise UnsupportedModelError(
                    f"{where} replaces {name_some(replaced.tensors)} (modules_to_save): supported "
                    "for checkpoint folders alone"
                )
            if adapter.weight != 1:
                raise UnsupportedModelError(
                    f"{where} replaces {name_some(replaced.tensors)} (modules_to_save): its weight "
                    f"{adapter.weight:g} must be 1"
                )
            file.replace_tensors(replaced)

    def bind(
        self,
        modules: Mapping[str, str],
        hub_modules: Mapping[str, str],
        halved: Mapping[str, int],
        reordered: Collection[str],
        *,
        is_gguf: bool,
    ) -> None:
        """Find the weights that are meant.

        Args:
            modules: the model's matrices by the modules that GGUF files know them as.
            hub_modules: the same by those of transformers, in every spelling.
            halved: of matrices whose rows GGUF files have in another order: how many heads.
            reordered: matrices that they have in another order than adapters are brought into.
            is_gguf: whether the model is a GGUF file.

        Raises:
            ModelFileError: an adapter changes a module that is not there.
            UnsupportedModelError: one changes a matrix that is two at once, or that it has in
                another order.
        """
        tied = "output" not in modules
        for adapter in self._adapters:
            is_hub = adapter.read.names_of == "hub"
            for module, change in adapter.read.changes.items():
                name = (hub_modules if is_hub else modules).get(module)
                if tied and (name == "token_embd.weight" or module in ("lm_head", "output")):
                    raise UnsupportedModelError(
                        f"{escape(change.path)} changes {quote(module)}, which is embedding and "
                        "output at once (tied): supported where these are two"
                    )
                if name is None:
                    change.fail("has no matrix in this model: must be an adapter of its kind")
                if is_hub is is_gguf and name in reordered:
                    raise UnsupportedModelError(
                        f"{escape(change.path)} changes {quote(module)}, which GGUF files and "
                        "checkpoints of such a model have in different orders: supported where "
                        "adapter and model are both GGUF files, or neither is"
                    )
                if is_hub is is_gguf and name in halved:
                    change = in_order_of(change, halved[name], is_gguf=is_gguf)  # noqa: PLW2901
                self._changes.setdefault(name, []).append((change, adapter.weight))

    def check_all_applied(self) -> None:
        """UnsupportedModelError if a weight that is changed was read without its change."""
        left = [name for name in self._changes if name not in self._applied]
        if left:
            change, _ = self._changes[left[0]][0]
            raise UnsupportedModelError(
                f"{escape(change.path)} changes {quote(change.name)}: supported for the matrices "
                "of plain products and embeddings alone"
            )

    def changes(self, name: str) -> bool:
        """Whether a weight is changed."""
        return name in self._changes

    def apply(self, name: str, weight: Floats) -> Floats:
        """The changed weight `(outputs, inputs)`."""
        self._applied.add(name)
        merged = np.array(weight, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # what is infinite is said below
            for change, share in self._changes[name]:
                change.add_to(merged, share)
        if not np.isfinite(merged).all():
            change, _ = self._changes[name][-1]
            raise ModelFileError(
                f"{escape(change.path)}: the change of {quote(change.name)} makes weights infinite"
            )
        return merged


def in_order_of(change: LowRank, heads: int, *, is_gguf: bool) -> LowRank:
    """The change in the order of the model's rows, where its adapter has them in the other.

    GGUF has those of Llama's queries and keys as pairs side by side, checkpoints half a head apart.
    """
    b = change.b
    if len(b) % (2 * heads):
        change.fail(f"has {len(b)} rows: must be of {heads} heads")
    parts = b.reshape(heads, 2, -1, b.shape[1]) if is_gguf else b.reshape(heads, -1, 2, b.shape[1])
    return replace(change, b=np.ascontiguousarray(parts.swapaxes(1, 2)).reshape(b.shape))


def open_adapters(choices: Sequence[AdapterChoice]) -> Adapters:
    """Read the adapters that were chosen."""
    opened = []
    for choice in choices:
        path = choice.path
        if not path.exists():
            raise ModelNotFoundError(
                f"adapter {escape(path)} does not exist: must be a folder with an "
                "adapter_config.json, or a GGUF file"
            )
        read = read_peft(path) if path.is_dir() else read_gguf_adapter(path)
        opened.append(OpenAdapter(read, choice.weight))
    return Adapters(opened)
