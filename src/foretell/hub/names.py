"""Hugging Face ids: `org/name`, `org/name:file.gguf`, and a revision of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from foretell.errors import ConfigError, ModelNotFoundError
from foretell.formats.split_names import part_names
from foretell.hub.registry import HUB_ALIASES
from foretell.utils.quoting import TEXT, quote

MAIN = "main"

_ID = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(:(?P<filename>.+))?")
_ADDRESS = re.compile(r"(?:https?://)?(?:www\.)?(?:hf\.co|huggingface\.co)/(\w[\w.-]*/\w[\w.-]*)")


@dataclass(frozen=True)
class HubModel:
    """A model on the hub: a repository, or one GGUF file of it, at some revision.

    Attributes:
        repo: `org/name`.
        filename: path of a GGUF file in the repository, of a split one the first part, whichever
            was named; None means the repository's checkpoint.
        revision: branch, tag or commit.
    """

    repo: str
    filename: str | None = None
    revision: str = MAIN

    @property
    def name(self) -> str:
        """What a user types for it, its revision aside."""
        return self.repo if self.filename is None else f"{self.repo}:{self.filename}"

    @property
    def filenames(self) -> list[str]:
        """The files that `filename` means: itself, or all parts of a split model, in order."""
        return [] if self.filename is None else part_names(self.filename)

    @property
    def title(self) -> str:
        """The name, and the revision where it is not the usual one."""
        return self.name if self.revision == MAIN else f"{self.name} (revision {self.revision})"


def parse(text: str, revision: str | None = None) -> HubModel | None:
    """The model that `text` names on the hub, aliases included; None where it is no id.

    Raises:
        ConfigError: the revision cannot be one.
        ModelNotFoundError: the file's path leaves its repository.
    """
    text = HUB_ALIASES.get(text.strip().lower(), text)
    match = _ID.fullmatch(text)
    if match is None or (match["filename"] is None and text.lower().endswith(".gguf")):
        return None
    filename = match["filename"]
    if filename is not None and not _stays_inside(filename):
        raise ModelNotFoundError(
            f"model {quote(text, TEXT)} names no file in a repository: write "
            "org/name:path/to/file.gguf"
        )
    first = None if filename is None else part_names(filename)[0]
    return HubModel(match["repo"], first, _check_revision(revision))


def id_in_address(text: str) -> str | None:
    """The id in a web page's address; None where `text` is no such address."""
    match = _ADDRESS.match(text)
    return match[1] if match else None


def _check_revision(revision: str | None) -> str:
    if revision is None:
        return MAIN
    if not isinstance(revision, str) or not _stays_inside(revision):
        raise ConfigError(f"revision={quote(revision, TEXT)} must be a branch, a tag or a commit")
    return revision


def _stays_inside(path: str) -> bool:
    """Whether a path from outside, joined to a folder, stays inside it, on any system."""
    strange = "\\" in path or ":" in path or not path.isprintable()
    parts = PurePosixPath(path).parts
    return bool(parts) and not strange and ".." not in parts and not path.startswith("/")
