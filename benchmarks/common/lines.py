"""What every peer speaks: one JSON request a line on stdin, one JSON reply a line on stdout.

A request is `{"op": name, ...arguments}`; the reply is what the operation returns, or
`{"error": text}`. Anything else that a library prints goes to stderr. An operation that the engine
does not have is refused with `UnsupportedError` and the reason.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

Operation = Callable[..., dict[str, Any]]


class UnsupportedError(Exception):
    """The engine does not do what it is asked to; the message tells why."""


def serve(operations: dict[str, Operation]) -> None:
    """Answer requests until stdin ends; `peak_memory` is answered here, in bytes."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    operations = {**operations, "peak_memory": _peak_memory}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            name = request.pop("op")
            if name not in operations:
                raise UnsupportedError(f"the engine has no {name}")
            reply = operations[name](**request)
        except UnsupportedError as error:
            reply = {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - reported to the one who asked
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)


def serve_engine(engine: Any) -> None:
    """Serve an engine whose methods are the operations of `speed/peers.py`."""
    names = ("load", "generate", "generate_many", "generate_beams")
    serve({name: getattr(engine, name) for name in names})


def figures(
    prompt_tokens: int, ids: list[int], first_seconds: float, wall_seconds: float
) -> dict[str, Any]:
    """A reply to `generate`: what was generated, and speeds by the time of the first token."""
    later = len(ids) - 1
    return {
        "ids": ids,
        "wall_seconds": wall_seconds,
        "prefill_tokens_per_second": prompt_tokens / first_seconds,
        "decode_tokens_per_second": later / (wall_seconds - first_seconds) if later else None,
    }


def _peak_memory() -> dict[str, Any]:
    scale = 1 if sys.platform == "darwin" else 1024
    return {"bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale}
