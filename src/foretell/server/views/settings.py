"""`/v1/foretell/settings`: what settings come to, before anything is written with them."""

from __future__ import annotations

from foretell.server.asking import settings_in_force
from foretell.server.frames import dumps
from foretell.server.sorting import Fields
from foretell.server.state import ServerState
from foretell.worker.preparing import prepare_beside


async def check_settings(fields: Fields, state: ServerState) -> bytes:
    """The settings in force, all filled in; ConfigError where they make no sense.

    A form is compiled, as it would be for a request.
    """
    inputs = state.inputs
    config = inputs.settings(None, settings_in_force(fields, state, fallback={}))
    if config.form is not None:
        await prepare_beside(lambda: inputs.template(config), config)
    data = {
        "object": "foretell.settings",
        "config": config.as_dict(),
        "stated": [*fields.settings],
        "is_sampling": config.is_sampling,
        "warnings": [*config.warnings],
    }
    return dumps(data)
