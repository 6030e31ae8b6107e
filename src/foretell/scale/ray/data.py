"""A class for pipelines of Ray Data: columns of prompts in, columns of texts out."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foretell.async_llm import OPTION_NAMES, AsyncLLM
from foretell.errors import ConfigError
from foretell.hub import DEFAULT_MODEL
from foretell.scale.answers import check_settings
from foretell.scale.job import ROWS_AHEAD, answer_rows
from foretell.scale.manifest import Manifest
from foretell.scale.ray.counts import Counts
from foretell.scale.ray.model import Opening
from foretell.scale.rows import URLS, Row
from foretell.scale.state import state_of
from foretell.utils.quoting import quote

Columns = Mapping[str, Sequence[Any]]


class Generator:
    """Writes texts for the rows of a `ray.data.Dataset`.

        ds.map_batches(
            Generator,
            fn_constructor_kwargs={"model": "smollm2-135m-instruct", "max_new_tokens": 100},
            concurrency=4,
            num_cpus=2,
        )

    A row's text is a function of the row alone: whatever the size of batches, the number of workers
    and their order, it is the same. A row that draws is given a seed that follows from `seed` and
    its id: rows without ids have one that follows from what they ask, so that two that ask the same
    are answered the same. It is the text of `foretell batch` for a row of that id.

    Each batch gets these columns beside its own: `generated_text`; `finish_reason`; `error`, which
    tells what is wrong with a row, whose text is then empty; `prompt_tokens`, `completion_tokens`.

    Args:
        model: as for `LLM`.
        prompt: the column of prompts; where it has lists of messages, these are chats.
        id: the column of ids; None: there is none.
        seed: from which the seeds of rows follow.
        options: arguments of `LLM`, `threads` among them: else as many as Ray has given the worker.
        sha256: of the model's bytes, if a worker shall refuse any other.
        settings: as for `LLM.generate`.

    Raises:
        ConfigError: a setting is none, or the model is another.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        prompt: str = "prompt",
        id: str | None = None,  # noqa: A002  as the column is called
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
        sha256: str | None = None,
        **settings: Any,
    ) -> None:
        _check(settings)
        self._prompt, self._id = prompt, id
        self._job = Manifest("", {}, "", 0, 0, [], [], settings, seed)
        stated = {"threads": _reserved_cpus(), **(options or {})}
        meant = {} if sha256 is None else {"sha256": sha256}
        self._llm: AsyncLLM = asyncio.run(Opening(model, stated, meant).open())
        self._counts = Counts() if _is_on_ray() else None

    def __call__(self, batch: Columns) -> dict[str, Any]:
        """The batch with its texts.

        ConfigError if it has no such column, or is no mapping of columns.
        """
        if not isinstance(batch, Mapping):
            raise ConfigError(
                f"a batch is a {type(batch).__name__}: must be a mapping of columns, as with "
                "batch_format='numpy'"
            )
        lines = asyncio.run(self._lines([*self._rows(batch)]))
        if self._counts is not None:
            self._counts.add_lines(lines)
        found = [_outcome(json.loads(line)) for line in lines]
        return {**batch, **{name: [one[name] for one in found] for name in _OUTCOME}}

    async def _lines(self, rows: Sequence[Row]) -> list[bytes]:
        state = state_of(self._llm, self._job)
        return await answer_rows(rows, self._job, state, asyncio.Semaphore(ROWS_AHEAD))

    def _rows(self, batch: Columns) -> Iterator[Row]:
        prompts = _column(batch, self._prompt)
        ids = [None] * len(prompts) if self._id is None else _column(batch, self._id)
        for prompt, name in zip(prompts, ids, strict=True):
            is_chat = isinstance(prompt, list) and all(isinstance(one, Mapping) for one in prompt)
            body = {"messages" if is_chat else "prompt": prompt}
            url = URLS[0] if is_chat else URLS[1]
            yield Row(_name_of(body) if name is None else str(name), url, body)


_OUTCOME = ("generated_text", "finish_reason", "error", "prompt_tokens", "completion_tokens")


def _outcome(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What a row's columns get of its answer."""
    body, error = answer["response"]["body"], answer["error"]
    if error is not None:
        return dict(zip(_OUTCOME, ("", "error", error["message"], 0, 0), strict=True))
    choice, usage = body["choices"][0], body["usage"]
    text = choice["message"]["content"] if "message" in choice else choice["text"]
    counts = (usage["prompt_tokens"], usage["completion_tokens"])
    return dict(zip(_OUTCOME, (text or "", choice["finish_reason"], "", *counts), strict=True))


def _check(settings: Mapping[str, Any]) -> None:
    options = [name for name in settings if name in OPTION_NAMES]
    if options:
        raise ConfigError(f"{options[0]} is an argument of LLM: give options={{{options[0]!r}: …}}")
    check_settings(settings)
    if settings.get("num_return_sequences", 1) != 1:
        stated = quote(settings["num_return_sequences"])
        raise ConfigError(f"num_return_sequences={stated} must be 1: a row has one text")


def _column(batch: Columns, name: str) -> list[Any]:
    """A column's values, as Python's own."""
    if name not in batch:
        listed = ", ".join(map(quote, batch)) or "none"
        raise ConfigError(f"the batch has no column {quote(name)}: must be one of {listed}")
    column: Any = batch[name]
    values = column.tolist() if hasattr(column, "tolist") else list(column)
    return [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _name_of(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _is_on_ray() -> bool:
    """Whether this process is an actor of Ray's."""
    ray = sys.modules.get("ray")
    return (
        ray is not None
        and ray.is_initialized()
        and ray.get_runtime_context().get_actor_id() is not None
    )


def _reserved_cpus() -> int | None:
    """CPUs that Ray has given this worker; None elsewhere."""
    if not _is_on_ray():
        return None
    import ray

    given = ray.get_runtime_context().get_assigned_resources().get("CPU", 1)
    return max(1, int(given))
