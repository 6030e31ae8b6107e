"""`/v1/chat/completions`: from its body to a request."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from foretell.server.asking import Asked, asked, check_one_stage, settings_in_force, sorted_fields
from foretell.server.errors import invalid
from foretell.server.fields import checked, flag, number
from foretell.server.limits import MAX_MESSAGES, TOP
from foretell.server.state import ServerState
from foretell.server.writers import ChatWriter
from foretell.text.chat.prompt import chat_prompt


def ask_chat(body: Mapping[str, Any], state: ServerState) -> tuple[Asked, ChatWriter]:
    """What a body asks for, and who writes the answer; ApiError if it is refused."""
    fields = sorted_fields(body, "chat", state)
    own = fields.own
    fields.spelled["template_arguments"] = "chat_template_kwargs"
    messages = check_messages(own)
    read = partial(chat_prompt, state.llm.tokenizer, messages, **template_wishes(own))
    settings = {**settings_in_force(fields, state), **_reports(own)}
    request = asked(fields, read, 1, state, settings)
    check_one_stage(request)
    return request, ChatWriter(request, state)


def check_messages(own: Mapping[str, Any]) -> list[Any]:
    """The messages, of which the template will see more; ApiError if they are no list."""
    messages = own.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("messages must be a list of messages, and not empty", "messages")
    if len(messages) > MAX_MESSAGES:
        raise invalid(
            f"messages has {len(messages)} entries: must have at most {MAX_MESSAGES}", "messages"
        )
    return messages


def check_alone(own: Mapping[str, Any]) -> None:
    """Raise ApiError if a prompt is given beside the messages."""
    if "prompt" in own:
        raise invalid("prompt and messages are both given: give one of them", "prompt")


def template_wishes(own: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked of the chat template, as arguments of `chat_prompt`."""
    wishes: dict[str, Any] = {}
    for name in ("continue_final_message", "add_generation_prompt"):
        if name in own:
            wishes[name] = flag(own, name)
    kwargs = checked(own, "chat_template_kwargs", dict, None, lambda _: True)
    if kwargs:
        wishes["template_arguments"] = kwargs
    return wishes


def _reports(own: Mapping[str, Any]) -> dict[str, Any]:
    """Which log-probabilities are to be told."""
    num_top = number(own, "top_logprobs", TOP)
    if flag(own, "logprobs"):
        return {"logprobs": num_top or 0}
    if num_top:
        raise invalid("top_logprobs needs logprobs: set it to true", "top_logprobs")
    return {}
