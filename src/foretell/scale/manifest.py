"""What a job is: enough to make each part again, and to know another job from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from foretell.errors import ConfigError, ModelFileError
from foretell.formats.json import read_object
from foretell.scale.parts import Format
from foretell.scale.writing import put
from foretell.utils.quoting import escape, quote

FORMAT = 2
NAME = "manifest.json"
MAX_BYTES = 2**28
FOLLOWS = ("offsets", "hashes")
"""What follows from the rest."""


@dataclass(frozen=True)
class Manifest:
    """A job.

    Attributes:
        foretell: version of the engine.
        model: what the model is called, and what tells its weights and arithmetic from others.
        input_sha256, num_rows: of the input.
        part_rows: rows of a part; the last may have fewer.
        offsets: of each part, where it begins in the input, in bytes, and at which line.
        hashes: of each part, what tells its rows from others.
        settings: fields of each row's body that states none of its own.
        seed: from which the seeds of rows that state none follow.
        output: the format of the parts, and what writes it if that matters.
        model_names: names that rows may call the model by beside its own; answers bear the first.
        format: of the manifest.
    """

    foretell: str
    model: Mapping[str, str]
    input_sha256: str
    num_rows: int
    part_rows: int
    offsets: list[tuple[int, int]]
    hashes: list[str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    output: str = "jsonl"
    model_names: list[str] = field(default_factory=list)
    format: int = FORMAT

    @property
    def num_parts(self) -> int:
        """How many parts the job has."""
        return len(self.offsets)

    @property
    def file_format(self) -> Format:
        """The format of its parts' files."""
        return "parquet" if self.output.startswith("parquet") else "jsonl"

    @property
    def is_sound(self) -> bool:
        """Whether its numbers agree."""
        counts = (self.num_rows, self.part_rows)
        if not all(type(count) is int and count > 0 for count in counts):
            return False
        parts = -(-self.num_rows // self.part_rows)
        return parts == len(self.offsets) == len(self.hashes)

    def rows_of(self, part: int) -> int:
        """Rows of a part."""
        return min(self.part_rows, self.num_rows - part * self.part_rows)

    def write(self, folder: Path) -> None:
        """Put it into the job's folder; ConfigError if the disk does not take it."""
        data = asdict(self)
        told = {name: value for name, value in data.items() if name not in FOLLOWS}
        lines = json.dumps(told, ensure_ascii=False, indent=1).removesuffix("\n}")
        rest = "".join(f",\n {json.dumps(name)}: {json.dumps(data[name])}" for name in FOLLOWS)
        put(folder / NAME, f"{lines}{rest}\n}}\n".encode())

    def check_same(self, other: Manifest, folder: Path) -> None:
        """ConfigError, naming what differs, if the folder's job, `other`, is not this one."""
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            if one.name not in FOLLOWS and mine != theirs:
                raise ConfigError(
                    f"{escape(folder)} has the answers of another job: there {one.name} is "
                    f"{quote(theirs)}, here {quote(mine)}; give another folder"
                )


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a job's folder; None if there is none.

    ModelFileError if it is damaged.
    """
    path = folder / NAME
    if not path.exists():
        return None
    data = read_object(path, MAX_BYTES)
    if data.get("format") != FORMAT:
        raise ModelFileError(
            f"{escape(path)} has format {quote(data.get('format'))}: must be {FORMAT}, which this "
            "version writes"
        )
    try:
        data["offsets"] = [(int(offset), int(line)) for offset, line in data["offsets"]]
        manifest = Manifest(**data)
    except (TypeError, ValueError, KeyError):
        raise ModelFileError(f"{escape(path)} is damaged: must be a job's manifest") from None
    if not manifest.is_sound:
        raise ModelFileError(f"{escape(path)} is damaged: its numbers do not agree")
    return manifest
