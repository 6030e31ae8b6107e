"""`/v1/models`: what is served, in OpenAI's form."""

from __future__ import annotations

from typing import Any

from foretell.server.asking import check_model
from foretell.server.state import ServerState


def list_models(state: ServerState) -> dict[str, Any]:
    """All names of the model."""
    return {"object": "list", "data": [_described(name, state) for name in state.model_names]}


def describe_model(name: str, state: ServerState) -> dict[str, Any]:
    """One of the names; ApiError if there is none such."""
    check_model(name, state)
    return _described(name, state)


def _described(name: str, state: ServerState) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": state.created,
        "owned_by": "foretell",
        "root": state.model_names[0],
        "max_model_len": state.llm.info.context_length,
        "description": state.llm.info.description,
    }
