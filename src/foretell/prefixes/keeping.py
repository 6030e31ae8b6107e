"""Saving a prompt's blocks, and loading them: between an engine and a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from foretell.analysis.probabilities import PromptProbe
from foretell.backends.base import Backend, Bytes, KeepsBlocks
from foretell.decoding.strategies.probe import LogitsProbe
from foretell.engine.engine import Engine
from foretell.engine.prefix_blocks import PrefixBlocks
from foretell.errors import ConfigError, PrefixFileError, RequestError
from foretell.loading.model_files import ModelFiles
from foretell.outputs import KeptPrefix
from foretell.prefixes.files import check_writable, prefix_reader, prefix_writer
from foretell.prefixes.header import Header, check_same
from foretell.utils.display import count
from foretell.utils.quoting import escape, quote
from foretell.version import __version__

T = TypeVar("T")
PathName = str | os.PathLike[str]

CHUNK_BYTES = 1 << 23
"""Of blocks that are copied between two steps: some milliseconds."""

MAX_ROUNDS = 8
"""How often a prompt is computed again whose blocks others have taken before they were read."""


class Act(Protocol):
    """Has a function called with the engine, between two of its steps."""

    def __call__(self, act: Callable[[Engine], T], /) -> T:
        """What the function returns."""
        ...


@dataclass(frozen=True)
class Runner:
    """What has an engine work for whoever saves and loads.

    Attributes:
        backend: the engine's.
        files: what its model was read from; None if it was given as an object.
        act: reaches the engine.
        compute: runs a prompt, of which nothing is generated.
        check: raises if nobody waits for the result any more.
    """

    backend: Backend
    files: ModelFiles | None
    act: Act
    compute: Callable[[Sequence[int]], None]
    check: Callable[[], None] = lambda: None


def prompt_only() -> PromptProbe[None]:
    """A request that has a prompt computed, and wants nothing of it."""
    return PromptProbe({"strategy": LogitsProbe()}, lambda job, reports, tokenizer: None)


def save_prefix(runner: Runner, path: PathName, prompt: Sequence[int]) -> KeptPrefix:
    """Compute a prompt, and write the full blocks of it to a file.

    Raises:
        ConfigError: the backend, or the engine, keeps no blocks.
        RequestError: the prompt is shorter than a block, or does not fit.
        PrefixFileError: the file cannot be written.
    """
    place = _path(path)
    backend = _require_keeping(runner)
    size = backend.info.block_size
    tokens = [*prompt][: len(prompt) // size * size]
    if not tokens:
        raise RequestError(
            f"the prompt has {count(len(prompt), 'token')}: must have at least {size}, which are a "
            f"block: less is not kept ({quote(str(place))} was given as the file's path)"
        )
    check_writable(place)
    runner.compute(tokens)
    header = Header(_made_by(runner, backend), size, backend.block_bytes, tokens)
    with prefix_writer(place, header) as writer:
        _copy_out(runner, tokens, writer.add)
    return KeptPrefix(str(place), tokens, header.num_bytes, writer.sha256, len(tokens))


def _copy_out(runner: Runner, tokens: Sequence[int], add: Callable[[Bytes], None]) -> None:
    """Give all blocks of computed tokens, a few between two steps.

    Nothing holds them: those that others have taken meanwhile are computed again, to the same bits.
    """
    blocks = runner.act(lambda engine: PrefixBlocks(engine, tokens))
    num_read = num_rounds = 0
    while num_read < blocks.num_blocks:
        runner.check()
        found = runner.act(lambda _, start=num_read: blocks.read(start, _chunk(runner)))  # type: ignore[misc]
        for data in found:
            add(data)
        num_read += len(found)
        if not found:
            num_rounds += 1
            if num_rounds > MAX_ROUNDS:
                raise RequestError(
                    "the prompt's KV blocks are taken by other requests before they can be saved: "
                    "try again when less runs, or with a larger num_blocks"
                )
            runner.compute(tokens)


def load_prefix(runner: Runner, path: PathName, sha256: str | None = None) -> KeptPrefix:
    """Put the blocks of a file into the prefix cache, once all of it was found right.

    With `sha256`, no other file will do.

    Raises:
        ConfigError: the backend, or the engine, keeps no blocks.
        RequestError: the prefix is longer than the context or the KV pool.
        PrefixFileError: the file is damaged, cannot be read, or was made by something else.
    """
    place = _path(path)
    backend = _require_keeping(runner)
    with prefix_reader(place) as reader:
        header = reader.header
        if sha256 not in (None, reader.sha256):
            raise PrefixFileError(
                f"{escape(place)} has sha256 {reader.sha256}: must be {quote(sha256, 80)}"
            )
        check_same(header.made_by, _made_by(runner, backend), escape(place))
        _check_fits(header, backend, escape(place))
        blocks = runner.act(lambda engine: PrefixBlocks(engine, header.token_ids))
        try:
            for chunk in reader.blocks(_chunk(runner)):
                runner.check()
                if blocks.has_room:
                    runner.act(lambda _, chunk=chunk: blocks.place(chunk))  # type: ignore[misc]
            num_cached = runner.act(lambda _: blocks.publish())
        finally:
            runner.act(lambda _: blocks.drop())
    cached = num_cached * header.block_size
    return KeptPrefix(str(place), [*header.token_ids], header.num_bytes, reader.sha256, cached)


def _check_fits(header: Header, backend: KeepsBlocks, source: str) -> None:
    info = backend.info
    if header.block_bytes != backend.block_bytes or header.block_size != info.block_size:
        raise ConfigError(
            f"{source} has blocks of {header.block_bytes} bytes, this model's have "
            f"{backend.block_bytes}"
        )
    num_tokens = len(header.token_ids)
    if max(header.token_ids) >= info.vocab_size or min(header.token_ids) < 0:
        raise ConfigError(f"{source} has a token that the model does not know")
    if num_tokens > info.context_length:
        raise RequestError(
            f"{source} has {num_tokens} tokens, but the context has {info.context_length}: "
            "context_length must be larger"
        )
    if header.num_blocks > info.num_blocks:
        room = info.num_blocks * info.block_size
        raise RequestError(
            f"{source} has {num_tokens} tokens, but the KV pool has {room}: num_blocks="
            f"{info.num_blocks} must be at least {header.num_blocks}, or kv_share larger"
        )


def _made_by(runner: Runner, backend: KeepsBlocks) -> dict[str, Any]:
    """All that the bytes of blocks depend on beside the tokens."""
    if runner.files is None:
        raise ConfigError(
            "a model given as an object has no files to be known by: its prefixes cannot be kept"
        )
    return {"foretell": __version__, **runner.files.hashes, **backend.block_form}


def _require_keeping(runner: Runner) -> KeepsBlocks:
    """The backend; ConfigError where no block can be kept in a file."""
    backend = runner.backend
    if not isinstance(backend, KeepsBlocks):
        raise ConfigError(
            f"backend={quote(backend.info.name)} keeps no KV blocks in files: 'native' does"
        )
    if not runner.act(lambda engine: engine.keeps_prefixes):
        raise ConfigError("prefix_caching=False keeps no prefixes: must be True")
    return backend


def _chunk(runner: Runner) -> int:
    backend = runner.backend
    assert isinstance(backend, KeepsBlocks)
    return max(1, CHUNK_BYTES // backend.block_bytes)


def _path(path: PathName) -> Path:
    name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(name, str) or not name:
        raise ConfigError(f"path={quote(path)} must be the path of a file")
    return Path(name).expanduser()
