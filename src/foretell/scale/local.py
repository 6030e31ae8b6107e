"""A job over a model that is open in this process: what `LLM.batch` does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from foretell.async_llm import AsyncLLM, share
from foretell.config import GenerationConfig
from foretell.errors import ConfigError
from foretell.llm import LLM
from foretell.outputs import BatchSummary
from foretell.scale.identity import identity_of
from foretell.scale.inputs import Rows
from foretell.scale.job import Job, run
from foretell.scale.pace import open_pace
from foretell.scale.parts import Format
from foretell.scale.start import open_job
from foretell.scale.summary import summarize
from foretell.scale.waiting import finish
from foretell.utils.quoting import quote

T = TypeVar("T")


def batch(  # noqa: PLR0913
    llm: LLM,
    rows: str | os.PathLike[str] | Rows,
    folder: str | os.PathLike[str],
    *,
    part_rows: int,
    output_format: Format,
    column: str | None,
    shard: tuple[int, int],
    model_names: Sequence[str],
    progress: bool | None,
    settings: Mapping[str, Any],
) -> BatchSummary:
    """Answer rows, and write the answers to a folder; `LLM.batch` tells of the arguments."""
    _check(output_format, shard, model_names, settings)
    if not isinstance(folder, (str, os.PathLike)):
        raise ConfigError(f"output={quote(folder)} must be the path of a folder")
    job = open_job(
        _source(rows),
        Path(folder),
        identity_of(llm._require_open().origin, llm.info.description),
        settings={name: value for name, value in settings.items() if name != "seed"},
        seed=settings.get("seed", 0),
        part_rows=part_rows,
        output=output_format,
        column=column,
        shard=shard,
        model_names=model_names,
    )

    def make() -> None:
        with open_pace(job.num_missing(), progress) as pace:
            run_here(_run(job, share(llm), pace.add))

    finish(job, make)
    return summarize(job)


def _source(rows: object) -> Path | Rows:
    """A path, or rows; ConfigError if it is neither."""
    if isinstance(rows, (str, os.PathLike)):
        path = Path(rows)
        if isinstance(rows, str) and not path.exists():
            raise ConfigError(
                f"rows={quote(rows)} is no file: must be the path of one, or a list of prompts"
            )
        return path
    if isinstance(rows, (Mapping, bytes)) or not isinstance(rows, Iterable):
        raise ConfigError(
            f"rows={quote(rows)} must be a list of prompts and bodies of requests, or a file's path"
        )
    return rows


async def _run(job: Job, opening: AsyncLLM, show: Any) -> None:
    async with opening as llm:
        await run(job, llm, show)


def run_here(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, also where an event loop runs already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main)
    return _run_beside(main)


def _run_beside(main: Coroutine[Any, Any, T]) -> T:
    """Run it in a thread of its own; an interruption here ends it there."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(main)
    with ThreadPoolExecutor(1, "foretell-batch") as threads:
        running = threads.submit(loop.run_until_complete, task)
        try:
            return running.result()
        except BaseException:
            if not running.done():
                loop.call_soon_threadsafe(task.cancel)
            raise
        finally:
            running.add_done_callback(lambda _: loop.close())


def _check(
    output_format: object, shard: object, model_names: object, settings: Mapping[str, Any]
) -> None:
    GenerationConfig(seed=settings.get("seed", 0))
    if output_format not in ("jsonl", "parquet"):
        raise ConfigError(f"output_format={quote(output_format)} must be 'jsonl' or 'parquet'")
    if not (isinstance(shard, tuple) and len(shard) == 2 and all(type(n) is int for n in shard)):
        raise ConfigError(f"shard={quote(shard)} must be two numbers, as in (0, 8)")
    names = model_names if isinstance(model_names, (list, tuple)) else [None]
    if not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"model_names={quote(model_names)} must be a list of names")
