"""The one prompt that a view is of, and what is alike in the requests for views."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from foretell.config import GenerationConfig
from foretell.config.settings import CHOOSING_SETTINGS
from foretell.inputs.prompts import Prompt, is_batch
from foretell.server.asking import priority_of
from foretell.server.chat import check_alone, check_messages, template_wishes
from foretell.server.errors import invalid
from foretell.server.fields import Fields, flag
from foretell.server.frames import dumps
from foretell.server.state import ServerState
from foretell.text.chat.prompt import chat_prompt
from foretell.utils.quoting import quote


class PromptSource:
    """Gives the prompt of a request when it is called: a text, ids, or the ids of a conversation.

    Raises:
        ApiError: there is none, or there are several.
    """

    def __init__(self, fields: Fields, state: ServerState) -> None:
        own, wishes = fields.own, template_wishes(fields.own)
        fields.spelled |= {"template_arguments": "chat_template_kwargs", "text": "prompt"}
        if "messages" in own:
            check_alone(own)
            messages, tokenizer = check_messages(own), state.llm.tokenizer
            self._read: Callable[[], Prompt] = partial(chat_prompt, tokenizer, messages, **wishes)
        else:
            prompt = own.get("prompt")
            if not isinstance(prompt, (str, list)) or is_batch(prompt):
                told = f"prompt={quote(prompt)} must be a text or token ids, or give messages"
                raise invalid(told, "prompt")
            self._read = lambda: prompt

    def __call__(self) -> Prompt:
        """The prompt; a chat template takes its time."""
        return self._read()

    async def read(self) -> Prompt:
        """The prompt, read beside the event loop."""
        return await asyncio.to_thread(self)


def how(fields: Fields) -> dict[str, Any]:
    """The arguments that all methods of `AsyncLLM` have alike."""
    special = flag(fields.own, "parse_special")
    return {"parse_special": special, "priority": priority_of(fields)}


def chosen_settings(fields: Fields, state: ServerState) -> dict[str, Any]:
    """The settings that are in force, as they were sent.

    The server's own defaults fill them where they do not say how tokens are chosen.
    """
    if CHOOSING_SETTINGS & fields.settings.keys():
        return dict(fields.settings)
    return {**state.options.defaults, **fields.settings}


def refuse_settings(fields: Fields, reason: str) -> None:
    """Raise ApiError if there is a setting."""
    for setting in fields.settings:
        name = fields.spelled.get(setting, setting)
        raise invalid(f"{name} is refused: {reason}", name, "unsupported_parameter")


def limit_length(fields: Fields, settings: dict[str, Any], most: int) -> None:
    """Raise ApiError for a text that may become longer than this many tokens.

    An answer tells much of each token.
    """
    length = settings.get("max_new_tokens")
    if type(length) is int and length > most:
        name = fields.spelled.get("max_new_tokens", "max_new_tokens")
        raise invalid(f"{name}={quote(length)} must be at most {most} here", name)
    if length is None and settings.get("max_length") is not None:
        raise invalid(
            f"max_length is refused: give max_new_tokens, of which there may be {most} here",
            "max_length",
            "unsupported_parameter",
        )


async def told(found: Any, kind: str, add: Callable[[dict[str, Any]], object]) -> bytes:
    """A view as JSON, with what `add` puts in; a long one is written beside the event loop."""

    def write() -> bytes:
        data = {"object": f"foretell.{kind}", **found.to_dict()}
        add(data)
        return dumps(data)

    return await asyncio.to_thread(write)


def warnings_of(config: GenerationConfig) -> Callable[[dict[str, Any]], object]:
    """Adds what is odd about the settings to a view."""
    return lambda data: data.update(warnings=list(config.warnings))


def nothing(data: dict[str, Any]) -> None:
    """Adds nothing to a view."""
