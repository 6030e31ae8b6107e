"""Whose fault it is that a row has no answer: its own, or the machine's.

The row's fault is its answer, on whatever machine. The machine's ends the job, which goes on from
there elsewhere or another time: as an answer, it would stand in a part that others make otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable

from foretell.backends.base import BackendInfo, blocks_of_contexts
from foretell.errors import (
    BusyError,
    ClosedError,
    ForetellError,
    KVPoolError,
    NumericalError,
    OutOfMemoryError,
    QueueFullError,
)
from foretell.outputs import GenerationOutput
from foretell.server.errors import ApiError, api_error

TRANSIENT = (BusyError, ClosedError, OutOfMemoryError, QueueFullError)
"""What says nothing of the row."""


def fault_of_machine(failure: ApiError | ForetellError, info: BackendInfo) -> BaseException | None:
    """What is to be raised in place of an answer; None where the row is at fault.

    That a library is missing is the machine's fault, and that its KV pool holds less than memory
    for two contexts would. So is what is foretell's own, which would be the row's for ever.
    """
    cause = failure if isinstance(failure, ForetellError) else failure.__cause__ or failure
    if isinstance(cause, TRANSIENT) or isinstance(cause.__cause__, ImportError):
        return cause
    if isinstance(cause, KVPoolError):
        return cause if _has_small_pool(info) else None
    is_ours = api_error(failure).status >= 500 and not isinstance(cause, NumericalError)
    return cause if is_ours else None


def check_ends(outputs: Iterable[GenerationOutput], info: BackendInfo) -> None:
    """KVPoolError if a text ended because the machine's KV pool holds less than the context."""
    if not _has_small_pool(info):
        return
    for output in outputs:
        reason = output.stop_reason
        if reason is None or reason.kind != "context" or output.config.negative_prompt is not None:
            continue
        if reason.value != info.context_length:
            raise KVPoolError(
                f"a text has come to the end of the KV pool, {reason.value} positions of the "
                f"context's {info.context_length}: num_blocks={info.num_blocks} or kv_share must "
                "be larger"
            )


def _has_small_pool(info: BackendInfo) -> bool:
    """Whether the KV pool is smaller than where there is memory and nobody states its size."""
    return info.num_blocks < blocks_of_contexts(info.context_length, info.block_size)
