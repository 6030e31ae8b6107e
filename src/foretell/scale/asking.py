"""What a row asks for: its own settings, and the job's where it states none."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from foretell.config.conflicts import beside_stated
from foretell.config.settings import FORMS, SETTINGS
from foretell.scale.rows import URLS, Row
from foretell.server.asking import Asked
from foretell.server.chat import ask_chat
from foretell.server.completions import ask_completion
from foretell.server.errors import ApiError
from foretell.server.sorting import sort_fields
from foretell.server.state import ServerState
from foretell.server.writer import Writer
from foretell.utils.quoting import quote

Settings = Mapping[str, Any]
Ask = Callable[[Settings, ServerState], tuple[Asked, Writer]]

ROUTES: Mapping[str, tuple[str, Ask]] = dict(
    zip(URLS, (("chat", ask_chat), ("completions", ask_completion)), strict=True)
)

_OF_FORMS = frozenset(name for name, row in SETTINGS.items() if {*row.needs} & {*FORMS})
"""Settings that say more of a form."""


def ask_row(row: Row, settings: Settings, seed: int, state: ServerState) -> tuple[Asked, Writer]:
    """What a row asks for, and who writes the answer.

    The row's settings win over the job's where both name one thing, in whatever words.

    Args:
        row: a request.
        settings: the job's.
        seed: where nobody states one.
        state: has the model.

    Raises:
        ApiError: the request is refused.
    """
    row = row._replace(body=_of_this_model(row.body, state))
    body = {"seed": seed, **settings, **row.body}
    if body["seed"] is None:  # as if it were absent
        body["seed"] = settings.get("seed", seed)
    route, ask = ROUTES[row.url]
    try:
        return ask(body, state)
    except ApiError as error:
        if not settings:
            raise
        refusal = error
    stated = sort_fields(row.body, route, strict=state.options.strict).settings
    kept = _beside(settings, stated)
    if len(kept) < len(settings):
        try:
            return ask({"seed": seed, **kept, **row.body}, state)
        except ApiError as error:
            refusal = error
    raise _telling_whose(refusal, kept) if _is_sound(row, ask, state) else refusal


def _of_this_model(body: Settings, state: ServerState) -> Settings:
    """The body, without the model if it is named by its file; ApiError if it is another one.

    A file's folder is passed over: it may be another one where the job is gone on with.
    """
    name = body.get("model")
    if not isinstance(name, str) or name in state.model_names:
        return body
    if os.path.basename(name).removesuffix(".gguf") in state.model_names:
        return {field: value for field, value in body.items() if field != "model"}
    raise ApiError(
        404,
        f"model={quote(name)} is not the job's, which is {' or '.join(state.model_names)}: leave "
        "model out, or let the job have the name too (--served-model-name, model_names)",
        param="model",
        code="model_not_found",
    )


def _beside(settings: Settings, stated: Settings) -> dict[str, Any]:
    """What of the job's settings a row leaves open, with those that it states."""
    left_out = {*stated}
    if left_out & {*FORMS}:
        left_out |= {*FORMS, *_OF_FORMS}
    if stated.get("do_sample") is True and settings.get("temperature") == 0:
        left_out.add("temperature")
    return beside_stated({k: v for k, v in settings.items() if k not in left_out}, stated)


def _is_sound(row: Row, ask: Ask, state: ServerState) -> bool:
    """Whether a row could be answered with its own settings alone."""
    try:
        ask(row.body, state)
    except ApiError:
        return False
    return True


def _telling_whose(refusal: ApiError, settings: Settings) -> ApiError:
    """The same, with those of the job's settings named that it speaks of."""
    found = [name for name in settings if re.search(rf"\b{name}\b", refusal.message)]
    if not found:
        return refusal
    told = ", ".join(f"{name}={quote(settings[name])}" for name in found)
    message = f"{refusal.message} ({told} is the job's, the rest the row's)"
    longer = ApiError(
        refusal.status, message, param=refusal.param, code=refusal.code, headers=refusal.headers
    )
    longer.__cause__ = refusal.__cause__
    return longer
