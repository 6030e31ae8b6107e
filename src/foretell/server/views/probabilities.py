"""`/v1/foretell/next` and `/v1/foretell/score`: what the model thinks of a text."""

from __future__ import annotations

from foretell.analysis.probabilities import NOT_FOR_NEXT
from foretell.config.defaults import NUM_NEXT
from foretell.server.asking import settings_in_force
from foretell.server.limits import NEXT_TOP, TOP
from foretell.server.sorting import Fields
from foretell.server.state import ServerState
from foretell.server.values import number
from foretell.server.views.prompt import (
    PromptSource,
    how,
    nothing,
    refuse_settings,
    told,
    warnings_of,
)


async def next_tokens(fields: Fields, state: ServerState) -> bytes:
    """How probable each next token is, before and after the settings."""
    top = number(fields.own, "top", NEXT_TOP)
    source = PromptSource(fields, state)
    settings = {
        name: value
        for name, value in settings_in_force(fields, state, fallback={}).items()
        if name in fields.settings or name not in NOT_FOR_NEXT
    }
    found = await state.llm.next(
        await source.read(), NUM_NEXT if top is None else top, **how(fields), **settings
    )
    return await told(found, "next", warnings_of(found.config))


async def score(fields: Fields, state: ServerState) -> bytes:
    """The log-probability of each token of a text."""
    refuse_settings(fields, "a score is the model's own, whatever the settings")
    top = number(fields.own, "top", TOP)
    source = PromptSource(fields, state)
    found = await state.llm.score(await source.read(), top or 0, **how(fields))
    return await told(found, "score", nothing)
