"""A row's answer: what the server's routes would have answered, as a line of OpenAI's batches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from foretell.config import GenerationConfig
from foretell.config.settings import CHOOSING_SETTINGS
from foretell.errors import ConfigError, ForetellError
from foretell.loading.options import ModelOptions
from foretell.scale.asking import ask_row
from foretell.scale.faults import check_ends, fault_of_machine
from foretell.scale.manifest import Manifest
from foretell.scale.rows import Row, row_seed
from foretell.server.asking import AS_OPENAI
from foretell.server.errors import ApiError, api_error, invalid
from foretell.server.state import ServerState
from foretell.streaming.run import ordered_outputs

SPECULATION = ModelOptions().speculation
"""What a job's receipts say of it, whatever a process guesses with: it changes no token."""

NO_CLOCK = "has no place in a job, whose answers depend on no clock: leave it out"


async def answer(row: Row, manifest: Manifest, state: ServerState) -> bytes:
    """The line of a row's answer.

    What is wrong with a row is its answer; whatever is the machine's fault is raised.
    """
    name = hashlib.blake2b(f"{manifest.seed}\0{row.custom_id}".encode(), digest_size=12).hexdigest()
    try:
        body = await _body(row, name, manifest, state)
        status, error = 200, None
    except (ApiError, ForetellError) as failure:
        fault, found = fault_of_machine(failure, state.llm.info), api_error(failure)
        if fault is not None:
            raise fault from None
        status, error, body = found.status, found.as_dict()["error"], found.as_dict()
    response = {"status_code": status, "request_id": f"req-{name}", "body": body}
    told = {"id": f"batch_req-{name}", "custom_id": row.custom_id, "response": response}
    line = json.dumps({**told, "error": error}, ensure_ascii=False, separators=(",", ":"))
    return line.encode() + b"\n"


async def _body(row: Row, name: str, manifest: Manifest, state: ServerState) -> dict[str, Any]:
    if row.fault is not None:
        raise invalid(row.fault)
    if row.body.get("stream"):
        raise invalid("stream=true: a job has whole answers", "stream")
    seed = row_seed(manifest.seed, row.custom_id)
    asked, writer = ask_row(row, manifest.settings, seed, state)
    if asked.config.max_time is not None:
        raise invalid(f"max_time={asked.config.max_time} {NO_CLOCK}", "max_time")
    writer.identify(name, created=0)
    last_chunks = []
    try:
        async with state.llm.submit(
            asked.read,
            asked.config,
            streams=False,
            is_patient=True,
            default_length=asked.default_length,
            parse_special=asked.parse_special,
            priority=asked.priority,
        ) as submitted:
            async for chunk in submitted:
                last_chunks.append(chunk)
    except ForetellError as error:
        raise asked.error(error) from error
    outputs = ordered_outputs(last_chunks)
    check_ends(outputs, state.llm.info)
    return _pure(writer.whole(outputs))


def _pure(body: dict[str, Any]) -> dict[str, Any]:
    """The answer without what depends on the company it was made in, or on how that ran."""
    usage = body["usage"]
    details = usage.get("completion_tokens_details", {})
    kept = {"reasoning_tokens": details.get("reasoning_tokens", 0)}
    counts = {name: count for name, count in usage.items() if not name.endswith("_details")}
    for choice in body["choices"]:
        if choice.get("receipt"):
            choice["receipt"]["model"]["speculation"] = SPECULATION
    return {**body, "usage": {**counts, "completion_tokens_details": kept}}


def check_settings(settings: Mapping[str, Any]) -> None:
    """ConfigError if a job's settings are none."""
    usual = {} if CHOOSING_SETTINGS & settings.keys() else AS_OPENAI
    config = GenerationConfig().override(**{**usual, **settings})
    if config.max_time is not None:
        raise ConfigError(f"max_time={config.max_time} {NO_CLOCK}")
