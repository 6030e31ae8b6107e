"""`/v1/foretell/beams`: the tree of a beam search."""

from __future__ import annotations

from foretell.config.defaults import BEAMS_TOKENS
from foretell.server.errors import invalid
from foretell.server.limits import TREE_BEAMS, TREE_TOKENS
from foretell.server.sorting import Fields
from foretell.server.state import ServerState
from foretell.server.views.prompt import PromptSource, how, limit_length, told, warnings_of
from foretell.utils.quoting import quote


async def beams(fields: Fields, state: ServerState) -> bytes:
    """Continue a prompt by beam search, and tell all that was considered."""
    settings = dict(fields.settings)
    number = settings.get("num_beams")
    if type(number) is int and number > TREE_BEAMS:
        raise invalid(f"num_beams={quote(number)} must be at most {TREE_BEAMS} here", "num_beams")
    limit_length(fields, settings, TREE_TOKENS, BEAMS_TOKENS)
    source = PromptSource(fields, state)
    tree = await state.llm.beams(await source.read(), **how(fields), **settings)
    return await told(tree, "beams", warnings_of(tree.config))
