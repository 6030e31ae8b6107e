"""`/v1/foretell/beams`: the tree of a beam search, whole or step by step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from foretell.analysis.beam_tree import BeamTree, GrownStep
from foretell.config.defaults import BEAMS_TOKENS
from foretell.inputs.prompts import Prompt
from foretell.server.errors import invalid
from foretell.server.frames import long_frame
from foretell.server.limits import TREE_BEAMS, TREE_TOKENS
from foretell.server.sorting import Fields
from foretell.server.state import ServerState
from foretell.server.views.prompt import (
    PromptSource,
    how,
    limit_length,
    told,
    told_last,
    warnings_of,
)
from foretell.utils.quoting import quote
from foretell.worker.submitted import SubmittedView


async def beams(fields: Fields, state: ServerState) -> bytes:
    """Continue a prompt by beam search, and tell all that was considered."""
    prompt, settings = await _asked(fields, state)
    tree = await state.llm.beams(prompt, **settings)
    return await told(tree, "beams", warnings_of(tree.config))


@asynccontextmanager
async def watch_beams(fields: Fields, state: ServerState) -> AsyncGenerator[AsyncIterator[bytes]]:
    """The same as events: each step as it is made, and then the whole."""
    prompt, settings = await _asked(fields, state)
    async with state.llm.submit_beams(prompt, **settings) as submitted:
        yield _events(submitted)


async def _events(submitted: SubmittedView[GrownStep, BeamTree]) -> AsyncIterator[bytes]:
    async for steps in submitted:
        yield await asyncio.to_thread(_step_events, steps)
    tree = await submitted.view()
    yield await told_last(tree, "beams", warnings_of(tree.config))


def _step_events(steps: Sequence[GrownStep]) -> bytes:
    told = ({"object": "foretell.beams.step", **step.to_dict()} for step in steps)
    return b"".join(map(long_frame, told))


async def _asked(fields: Fields, state: ServerState) -> tuple[Prompt, dict[str, Any]]:
    """The prompt, and the arguments for the search."""
    settings = dict(fields.settings)
    number = settings.get("num_beams")
    if type(number) is int and number > TREE_BEAMS:
        raise invalid(f"num_beams={quote(number)} must be at most {TREE_BEAMS} here", "num_beams")
    limit_length(fields, settings, TREE_TOKENS, BEAMS_TOKENS)
    source = PromptSource(fields, state)
    return await source.read(), {**how(fields), **settings}
