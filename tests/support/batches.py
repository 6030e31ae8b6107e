"""Jobs of some rows of all kinds over a toy model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foretell import AsyncLLM
from foretell.scale.job import Job, run
from foretell.scale.start import open_job
from support.toy_async import run as run_async
from support.toy_async import scripted
from support.toy_chat import chatting_tokenizer

MODEL = {"name": "toy", "sha256": "0"}


def write_input(path: Path, count: int = 40) -> Path:
    rows: list[Any] = []
    for number in range(count):
        chat = {"messages": [{"role": "user", "content": f"hi {number}"}], "max_tokens": 6}
        kinds: list[dict[str, Any]] = [
            {"prompt": f"the {number}", "max_tokens": 4 + number % 3, "temperature": 1.5},
            {"prompt": "ab", "max_tokens": 3, "temperature": 0, "logprobs": 2},
            {"prompt": "ab", "num_beams": 3, "max_tokens": 4, "return_receipt": True},
            {
                "custom_id": f"chat {number}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": chat,
            },
            {"prompt": "x", "temperature": -1},
            {"prompt": "cd", "n": 2, "max_tokens": 3, "return_receipt": True},
        ]
        rows.append(kinds[number % len(kinds)])
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "broken\n")
    return path


def toy(**options: Any) -> AsyncLLM:
    return AsyncLLM(scripted(**options), tokenizer=chatting_tokenizer())


def make(job: Job, parts: Sequence[int] | None = None, **options: Any) -> int:
    made = 0

    async def main() -> None:
        nonlocal made
        async with toy(**options) as llm:
            made = await run(job, llm, parts=parts)

    run_async(main)
    return made


def begin(tmp_path: Path, name: str = "out", **settings: Any) -> Job:
    source = tmp_path / "in.jsonl"
    if not source.exists():
        write_input(source)
    return open_job(source, tmp_path / name, MODEL, part_rows=8, **settings)


def bytes_of(job: Job) -> list[bytes]:
    return [job.parts.path(part).read_bytes() for part in range(job.manifest.num_parts)]
