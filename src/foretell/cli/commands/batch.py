"""`foretell batch`: a file of requests becomes a folder of answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from foretell.cli.interrupts import ExitsAtOnce
from foretell.cli.options import (
    BATCH_OPTIONS,
    JSON_OPTION,
    MODEL_OPTIONS,
    ModelChoice,
    given,
    with_options,
)
from foretell.cli.ray import ray_option
from foretell.cli.render import echo_json
from foretell.cli.serving.values import check_words
from foretell.config.defaults import PART_ROWS
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from foretell.outputs import BatchSummary
    from foretell.scale.job import Job
    from foretell.scale.pace import Pace


def _read_shard(context: click.Context, param: click.Parameter, value: str) -> tuple[int, int]:
    index, _, count = value.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise click.BadParameter(f"{quote(value)} must be I/N, with I from 0 to N - 1")
    return int(index), int(count)


def _read_source(context: click.Context, param: click.Parameter, value: Path) -> Path:
    if str(value) == "-":
        raise click.BadParameter(
            "stdin cannot be read again when the job is gone on with: write it to a file first"
        )
    return value


@click.command()
@click.argument(
    "source",
    metavar="INPUT",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_read_source,
)
@click.option(
    "--output",
    "-o",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder for the answers. A job that is there is gone on with.",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    show_default=True,
    help="Files of answers: lines of JSON, or tables (pyarrow).",
)
@click.option("--column", metavar="NAME", help="A table's column of prompts.  [default: prompt]")
@click.option(
    "--part-rows",
    type=click.IntRange(min=1),
    default=PART_ROWS,
    show_default=True,
    metavar="INTEGER",
    help="Rows of each file of answers, which are lost together if the process is killed.",
)
@click.option(
    "--shard",
    default="0/1",
    callback=_read_shard,
    metavar="I/N",
    help="Make each N-th part alone, from part I on.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="INTEGER",
    help="Processes that share the work; each has the model for itself.",
)
@click.option(
    "--served-model-name",
    "model_names",
    multiple=True,
    callback=check_words,
    metavar="NAME",
    help="What rows may call the model beside its own name; answers bear the first.  [repeatable]",
)
@ray_option("the workers")
@with_options(*MODEL_OPTIONS, *BATCH_OPTIONS, JSON_OPTION)
@click.option("--as-worker", is_flag=True, hidden=True)
def command(
    source: Path,
    folder: Path,
    model: ModelChoice,
    as_json: bool,
    workers: int,
    address: str | None,
    as_worker: bool,
    **wishes: Any,
) -> None:
    """Answer each row of INPUT, and write the answers to a folder.

    INPUT has lines of JSON: OpenAI's batch format ({"custom_id", "method", "url", "body"}), or
    plain bodies that have "prompt" or "messages". A table (.csv, .tsv, .parquet) has a column of
    prompts. Settings given here hold for rows that state none; where nobody does, rows are drawn at
    temperature 1, and a completion has 16 tokens, as from `foretell serve`.

    FOLDER gets part-000000.jsonl and so on, lines in OpenAI's output format and in the order of the
    rows, and in records/ a line on each part: rows, tokens, seconds, hash. Stopped or killed at any
    moment, the same command goes on with what is missing, and comes to the same bytes. Run several
    times at once, even on several machines that see the folder, the parts are shared.

    \b
    Examples:
      foretell batch prompts.jsonl -o answers/ --max-new-tokens 200
      foretell batch openai-batch.jsonl -o answers/ -m qwen2.5-0.5b-instruct --workers 4
      foretell batch reviews.csv --column text -o answers/ --choices good --choices bad
      foretell batch openai-batch.jsonl -o answers/ --served-model-name gpt-4o-mini
      foretell batch prompts.jsonl -o answers/ --format parquet
      foretell batch prompts.jsonl -o answers/ --shard 0/8
      foretell batch prompts.jsonl -o answers/ --ray 10.0.0.1:6379 --workers 16
      cat answers/part-*.jsonl | jq -r '.response.body.choices[0].text'
    """
    with ExitsAtOnce():
        from foretell.scale.identity import identity_of_name
        from foretell.scale.start import join_job, open_job
        from foretell.scale.summary import summarize
        from foretell.scale.waiting import finish
    cut = {
        name: wishes.pop(name) for name in ("column", "output", "part_rows", "shard", "model_names")
    }
    stated = given(wishes)
    seed = stated.pop("seed", 0)
    identity = identity_of_name(model.name, model.settings)
    if as_worker:
        _make(join_job(source, folder, identity, cut["shard"]), model, shows=False)
        return
    job = open_job(source, folder, identity, settings=stated, seed=seed, **cut)

    def make() -> None:
        if address is not None:
            _share_on_ray(job, model, address, workers)
        elif workers > 1:
            _share(job, model, workers)
        else:
            _make(job, model, shows=True)

    _tell_of_parts(job, cut["part_rows"])
    with _telling_how_far(job):
        finish(job, make, _tell_of_others)
    summary = summarize(job)
    if summary.refused:
        _tell_of_refusal(job)
    _tell(summary, folder, as_json=as_json)


def _make(job: Job, model: ModelChoice, *, shows: bool) -> None:
    """Make what is missing in this process."""
    from foretell.async_llm import AsyncLLM
    from foretell.scale.job import run

    if next(job.missing(), None) is None:
        return

    async def work() -> None:
        with _pace(job, shown=shows) as pace:
            async with AsyncLLM(model.name, **model.settings) as llm:
                await run(job, llm, pace.add)

    asyncio.run(work())


def _share(job: Job, model: ModelChoice, workers: int) -> None:
    """Let several processes make what is missing."""
    from foretell.scale.workers import run_workers

    own = ["--workers", "1", "--as-worker"]
    if "threads" not in model.settings and "FORETELL_THREADS" not in os.environ:
        own += ["--threads", str(max(1, (os.cpu_count() or 1) // workers))]
    with _watching(job) as watch:
        run_workers([sys.executable, "-m", "foretell", *_among(own, sys.argv[1:])], workers, watch)


def _among(options: Sequence[str], words: Sequence[str]) -> list[str]:
    """A command line with some more options, which count in place of its own."""
    end = words.index("--") if "--" in words else len(words)
    return [*words[:end], *options, *words[end:]]


def _share_on_ray(job: Job, model: ModelChoice, address: str, workers: int) -> None:
    """Let a Ray cluster make what is missing."""
    from foretell.scale.ray.batch import run_on_ray
    from foretell.scale.ray.cluster import connected
    from foretell.scale.ray.model import Opening

    options = dict(model.settings)
    threads = options.pop("threads", None)
    opening = Opening(model.name, options, job.manifest.model, job.manifest.foretell)
    with connected(address) as cluster, _watching(job) as watch:
        run_on_ray(job, opening, cluster, workers, watch, threads)


@contextlib.contextmanager
def _watching(job: Job) -> Iterator[Callable[[], None]]:
    """A look at how far other processes have come; it is taken once more at the end."""
    from foretell.scale.pace import sparing

    missing = job.num_missing()
    with _pace(job, shown=True) as pace:

        def look() -> None:
            pace.reach(missing - job.num_missing())

        yield sparing(look)  # it reads a folder, which may have many parts
        look()


def _pace(job: Job, *, shown: bool) -> AbstractContextManager[Pace]:
    from foretell.scale.pace import open_pace

    return open_pace(job.num_missing(), shown)


def _tell_of_parts(job: Job, part_rows: int) -> None:
    source = click.get_current_context().get_parameter_source("part_rows")
    there = job.manifest.part_rows
    if source is not ParameterSource.DEFAULT and part_rows != there:
        _say(f"parts have {there} rows, as the job was begun: --part-rows {part_rows} is unused")


@contextlib.contextmanager
def _telling_how_far(job: Job) -> Iterator[None]:
    """Say what is done where the block is interrupted."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        done = sum(map(job.manifest.rows_of, job.parts.done()))
        _say(f"{done} of {job.manifest.num_rows} rows are written: the same command goes on")
        raise


def _tell_of_refusal(job: Job) -> None:
    from foretell.scale.summary import first_refusal

    found = first_refusal(job)
    if found is not None:
        _say(f"the first row that is refused is {found.custom_id}: {found.message}")


def _say(sentence: str) -> None:
    click.secho(sentence, err=True, dim=True)


def _tell_of_others(num_parts: int) -> None:
    parts = "part" if num_parts == 1 else "parts"
    _say(f"waiting for {num_parts} {parts}, at work in other processes")


def _tell(summary: BatchSummary, folder: Path, *, as_json: bool) -> None:
    if as_json:
        echo_json(summary.to_dict())
        return
    refused = f", {summary.refused} of them refused" if summary.refused else ""
    missing = summary.parts - summary.parts_done
    rest = f"; {missing} parts are missing" if missing else ""
    _say(
        f"{summary.answered} of {summary.rows} rows answered{refused}, "
        f"{summary.completion_tokens} tokens, in {folder}{rest}"
    )
