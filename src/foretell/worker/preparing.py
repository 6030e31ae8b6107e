"""Prepares requests beside the event loop, so that no large form holds up anybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import TypeVar

from foretell.config import GenerationConfig
from foretell.inputs.grammars import form_length

T = TypeVar("T")

LARGE = 2**15
"""Characters of a form that are worked through in some tens of milliseconds; a schema of a
Kubernetes object has twice as many."""


async def prepare_beside(prepare: Callable[[], T], config: GenerationConfig) -> T:
    """What `prepare` returns, run in a helper thread.

    Those with large forms are run one after the other: each of them wants Python's lock for
    itself, and the engine gets it the later, the more they are. One whose caller has gone is not
    begun.
    """
    if form_length(config) <= LARGE:
        return await asyncio.to_thread(prepare)
    run = copy_context().run
    return await asyncio.get_running_loop().run_in_executor(_one_thread(), run, prepare)


@cache
def _one_thread() -> ThreadPoolExecutor:
    """The process's, as Python's lock is."""
    return ThreadPoolExecutor(1, "foretell-large-forms")
