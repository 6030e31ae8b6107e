"""`/v1/foretell/alternatives`: what else could stand at a position, and where it leads."""

from __future__ import annotations

from foretell.config.defaults import ALTERNATIVES_TOKENS, NUM_ALTERNATIVES
from foretell.server import limits
from foretell.server.limits import ALTERNATIVES_TOP, POSITION
from foretell.server.sorting import Fields
from foretell.server.state import ServerState
from foretell.server.values import number
from foretell.server.views.prompt import PromptSource, how, nothing, refuse_settings, told


async def alternatives(fields: Fields, state: ServerState) -> bytes:
    """The likeliest tokens at one position, and where greedy decoding leads from each."""
    if "max_new_tokens" in fields.settings:  # by another name
        fields.own.setdefault("max_new_tokens", fields.settings.pop("max_new_tokens"))
    refuse_settings(fields, "greedy decoding goes on from each token")
    own = fields.own
    top = number(own, "top", ALTERNATIVES_TOP)
    length = number(own, "max_new_tokens", limits.ALTERNATIVES_TOKENS)
    position = number(own, "position", POSITION)
    source = PromptSource(fields, state)
    found = await state.llm.alternatives(
        await source.read(),
        position,
        top=NUM_ALTERNATIVES if top is None else top,
        max_new_tokens=ALTERNATIVES_TOKENS if length is None else length,
        **how(fields),
    )
    return await told(found, "alternatives", nothing)
