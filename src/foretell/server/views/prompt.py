"""The one prompt that a view is of, and what is alike in the requests for views."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from foretell.config import GenerationConfig
from foretell.inputs.prompts import Prompt, is_batch
from foretell.server.asking import priority_of
from foretell.server.errors import invalid, wrong
from foretell.server.frames import dumps_long
from foretell.server.prompts import conversation, plain_ids, template_wishes
from foretell.server.sorting import Fields
from foretell.server.state import ServerState
from foretell.server.values import flag
from foretell.utils.quoting import quote


class PromptSource:
    """Gives the prompt of a request when it is called: a text, ids, or the ids of a conversation.

    Raises:
        ApiError: there is none, or there are several.
    """

    def __init__(self, fields: Fields, state: ServerState) -> None:
        own, tokenizer = fields.own, state.llm.tokenizer
        fields.spelled |= {"template_arguments": "chat_template_kwargs", "text": "prompt"}
        if "messages" in own:
            length = state.llm.info.context_length
            self._read: Callable[[], Prompt] = conversation(
                fields, tokenizer, context_length=length
            )
            return
        template_wishes(own)  # are of no use here, and have to make sense all the same
        prompt = own.get("prompt")
        if not isinstance(prompt, (str, list)) or is_batch(prompt):
            raise wrong("prompt", prompt, "a text or token ids; or give messages")
        self._read = lambda: prompt
        if not flag(own, "add_special_tokens", default=True):
            self._read = partial(plain_ids, prompt, own, tokenizer)

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


def refuse_settings(fields: Fields, reason: str) -> None:
    """Raise ApiError if there is a setting."""
    for setting in fields.settings:
        name = fields.spelled.get(setting, setting)
        raise invalid(f"{name} is refused: {reason}", name, "unsupported_parameter")


def limit_length(fields: Fields, settings: dict[str, Any], most: int, usual: int) -> None:
    """Bound the length in these settings, which are in force: an answer tells much of each token.

    ApiError for a request that wants more tokens than `most`. A length of the server's own is cut
    to that; where the model's preset may have one, `usual` holds in its place.
    """
    sent = fields.settings
    length = sent.get("max_new_tokens")
    if type(length) is int and length > most:
        name = fields.spelled.get("max_new_tokens", "max_new_tokens")
        raise invalid(f"{name}={quote(length)} must be at most {most} here", name)
    if length is None and sent.get("max_length") is not None:
        raise invalid(
            f"max_length is refused: give max_new_tokens, of which there may be {most} here",
            "max_length",
            "unsupported_parameter",
        )
    if "max_length" not in sent:
        settings.pop("max_length", None)
    if settings.get("preset") == "model":
        settings.setdefault("max_new_tokens", usual)
    if length is None and "max_new_tokens" in settings:
        settings["max_new_tokens"] = min(settings["max_new_tokens"], most)


async def told(found: Any, kind: str, add: Callable[[dict[str, Any]], object]) -> bytes:
    """A view as JSON, with what `add` puts in; a long one is written beside the event loop."""

    def write() -> bytes:
        data = {"object": f"foretell.{kind}", **found.to_dict()}
        add(data)
        return dumps_long(data)

    return await asyncio.to_thread(write)


async def told_last(found: Any, kind: str, add: Callable[[dict[str, Any]], object]) -> bytes:
    """A view as the last event of a stream that has told its parts."""
    return b"data: " + await told(found, kind, add) + b"\n\n"


def warnings_of(config: GenerationConfig) -> Callable[[dict[str, Any]], object]:
    """Adds what is odd about the settings to a view."""
    return lambda data: data.update(warnings=list(config.warnings))


def nothing(data: dict[str, Any]) -> None:
    """Adds nothing to a view."""
