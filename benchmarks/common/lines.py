"""What every peer speaks: one JSON request a line on stdin, one JSON reply a line on stdout.

A request is `{"op": name, ...arguments}`; the reply is what the operation returns, or
`{"error": text}`. Anything else that a library prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

Operation = Callable[..., dict[str, Any]]


def serve(operations: dict[str, Operation]) -> None:
    """Answer requests until stdin ends; `peak_memory` is answered here, in bytes."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    operations = {**operations, "peak_memory": _peak_memory}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = operations[request.pop("op")](**request)
        except Exception as error:  # noqa: BLE001 - reported to the one who asked
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)


def _peak_memory() -> dict[str, Any]:
    scale = 1 if sys.platform == "darwin" else 1024
    return {"bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale}
