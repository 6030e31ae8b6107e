"""A checkpoint folder, as transformers saves and the hub keeps it.

`config.json`, and `model.safetensors` or the shards that `model.safetensors.index.json` names. A
folder is never trusted: only files that lie in it by name are opened, and never a pickle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelFileError, ModelNotFoundError, UnsupportedModelError
from foretell.formats.file_names import (
    CONFIG,
    GENERATION_CONFIG,
    INDEX,
    MAX_INDEX_BYTES,
    PICKLES,
    WEIGHTS,
)
from foretell.formats.json import read_object, read_optional_object
from foretell.formats.safetensors import SafetensorsFile, StoredTensor
from foretell.utils.quoting import escape, quote


class Checkpoint:
    """An open checkpoint: what its files say, and their tensors as views of memory maps.

    Attributes:
        path: the folder.
        config: what `config.json` says.
        generation_config: what `generation_config.json` says; None where there is none.
        tensors: descriptions by name, of all files.
    """

    def __init__(
        self,
        path: Path,
        config: dict[str, Any],
        generation_config: dict[str, Any] | None,
        files: list[SafetensorsFile],
    ) -> None:
        self.path = path
        self.config = config
        self.generation_config = generation_config
        self._files = files
        self._file_of = {name: file for file in files for name in file.tensors}
        self.tensors: dict[str, StoredTensor] = {
            name: file.tensors[name] for name, file in self._file_of.items()
        }

    @classmethod
    def open(cls, folder: Path) -> Checkpoint:
        """Read the folder's JSON, map its weights, and check everything but their elements.

        Raises:
            ModelNotFoundError: there is no such folder, or no `config.json` in it.
            ModelFileError: a file is missing, damaged, or at odds with another.
            UnsupportedModelError: there are no safetensors.
        """
        if not folder.is_dir():
            raise ModelNotFoundError(
                f"{escape(folder)} is not a folder: give a folder with a {CONFIG}"
            )
        config = read_object(folder / CONFIG)
        generation_config = read_optional_object(folder / GENERATION_CONFIG)
        return cls(folder, config, generation_config, _open_files(folder, _stated_weights(config)))

    @property
    def title(self) -> str:
        """What people call it: the folder's name, or the repository's in the hub's cache."""
        if self.path.parent.name == "snapshots":
            return self.path.parent.parent.name.removeprefix("models--").replace("--", "/")
        return self.path.name

    def path_of(self, name: str) -> Path:
        """The file in which a tensor lies."""
        return self._file_of[name].path

    def replace_tensors(self, file: SafetensorsFile) -> None:
        """Let another file's tensors take the place of those of the same names, or join them.

        It is closed with the others.
        """
        self._files.append(file)
        self._file_of |= dict.fromkeys(file.tensors, file)
        self.tensors |= file.tensors

    def data(self, name: str) -> NDArray[np.uint8]:
        """The bytes of one tensor: a read-only 1-D view of the map, nothing copied."""
        return self._file_of[name].data(name)

    def will_need(self, name: str) -> None:
        """Let the system read a tensor's bytes ahead."""
        self._file_of[name].will_need(name)

    def forget_pages(self, name: str) -> None:
        """Give the memory of a tensor's pages back; they are read again if they are needed."""
        self._file_of[name].forget_pages(name)

    def close(self) -> None:
        """Let go of the maps. Views that `data` gave stay valid, and keep theirs until they go."""
        _close(self._files)

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _stated_weights(config: dict[str, Any]) -> str | None:
    """The file of weights that `config.json` names, as transformers reads it; None: the usual."""
    name = config.get("transformers_weights")
    if name is None:
        return None
    if not _is_plain_name(name, (".safetensors", ".safetensors.index.json")):
        raise ModelFileError(
            f"{CONFIG} names {quote(name)} as transformers_weights: must be the name of a "
            ".safetensors file or an index in this folder"
        )
    return str(name)


def _open_files(folder: Path, stated: str | None) -> list[SafetensorsFile]:
    """The weights in transformers' order: as stated, else whole, else by the index."""
    if stated is None and (folder / WEIGHTS).is_file():
        stated = WEIGHTS
    index = folder / (stated or INDEX)
    is_there = index.exists() or index.is_symlink()
    if index.name.endswith(".safetensors"):
        return [SafetensorsFile.open(index)]
    if not is_there and stated is None:
        return [SafetensorsFile.open(_find_weights(folder))]
    return _open_shards(folder, index)


def _open_shards(folder: Path, index: Path) -> list[SafetensorsFile]:
    shard_of = _read_index(index)
    files: list[SafetensorsFile] = []
    try:
        for name in sorted(set(shard_of.values())):
            files.append(_open_shard(folder / name, index))
        _check_index(index, shard_of, files)
    except BaseException:
        _close(files)
        raise
    return files


def _find_weights(folder: Path) -> Path:
    if (folder / WEIGHTS).exists() or (folder / WEIGHTS).is_symlink():
        return folder / WEIGHTS
    names = sorted(path.name for path in folder.iterdir())
    weights = [name for name in names if name.endswith(".safetensors")]
    if len(weights) == 1 and not weights[0].startswith("adapter_"):
        return folder / weights[0]
    if "adapter_config.json" in names:
        raise UnsupportedModelError(
            f"{escape(folder)} holds an adapter to another model: give that model, and "
            "this folder as adapters="
        )
    if weights:
        raise ModelFileError(
            f"{escape(folder)} has {len(weights)} safetensors files, but no {INDEX}: must have the "
            "index"
        )
    pickle = next((name for name in names if name.endswith(PICKLES)), None)
    if pickle is not None:
        raise UnsupportedModelError(
            f"{escape(folder)} has its weights only as a pickle ({escape(pickle)}), which can run "
            f"any code when it is read: save them as {WEIGHTS}"
        )
    raise ModelFileError(
        f"{escape(folder)} has no weights: must have {WEIGHTS}, or shards and {INDEX}"
    )


def _read_index(index: Path) -> dict[str, str]:
    shard_of = read_object(index, MAX_INDEX_BYTES).get("weight_map")
    if not isinstance(shard_of, dict) or not shard_of:
        raise ModelFileError(
            f"{escape(index)} has no weight_map: must say in which file each tensor lies"
        )
    for tensor, name in shard_of.items():
        if not _is_plain_name(name, (".safetensors",)):
            raise ModelFileError(
                f"{escape(index)} puts tensor {quote(tensor)} in {quote(name)}: must be the name "
                "of a .safetensors file in this folder"
            )
    return shard_of


def _is_plain_name(name: object, suffixes: tuple[str, ...]) -> bool:
    if not isinstance(name, str) or not name.isprintable():
        return False
    return name.endswith(suffixes) and not set(name) & set("/\\:")


def _open_shard(path: Path, index: Path) -> SafetensorsFile:
    try:
        return SafetensorsFile.open(path)
    except ModelNotFoundError:
        raise ModelFileError(
            f"{escape(path)}, one of the shards that {index.name} names, is missing: fetch it again"
        ) from None


def _check_index(index: Path, shard_of: dict[str, str], files: list[SafetensorsFile]) -> None:
    """Each tensor lies in the file that the index says, and in no other."""
    found: dict[str, str] = {}
    for file in files:
        for tensor in file.tensors:
            if tensor in found:
                raise ModelFileError(
                    f"{escape(index.parent)}: tensor {quote(tensor)} lies in {found[tensor]} and "
                    f"in {file.path.name}: must lie in one file"
                )
            found[tensor] = file.path.name
    for tensor, name in shard_of.items():
        if found.get(tensor) != name:
            raise ModelFileError(
                f"{escape(index)} puts tensor {quote(tensor)} in {name}, where it is not: fetch "
                "the folder again"
            )


def _close(files: list[SafetensorsFile]) -> None:
    for file in files:
        file.close()
