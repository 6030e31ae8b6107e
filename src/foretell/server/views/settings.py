"""`/v1/foretell/settings`: what settings come to, before anything is written with them."""

from __future__ import annotations

from foretell.config import GenerationConfig
from foretell.inputs.processor import InputProcessor
from foretell.server.asking import settings_in_force
from foretell.server.frames import dumps
from foretell.server.sorting import Fields
from foretell.server.state import ServerState


async def check_settings(fields: Fields, state: ServerState) -> bytes:
    """The settings in force, all filled in; ConfigError where they make no sense."""
    config = _checked(fields, state)
    data = {
        "object": "foretell.settings",
        "config": config.as_dict(),
        "stated": [*fields.settings],
        "is_sampling": config.is_sampling,
        "warnings": [*config.warnings],
    }
    return dumps(data)


def _checked(fields: Fields, state: ServerState) -> GenerationConfig:
    """As every request's settings are checked, against the model's vocabulary too."""
    llm = state.llm
    inputs = InputProcessor(llm.tokenizer, llm.recommended, lambda _: None, llm.info.vocab_size)
    return inputs.settings(None, settings_in_force(fields, state, fallback={}))
