"""`/v1/chat/completions`: from its body to a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foretell.server.asking import Asked, asked, check_one_stage, settings_in_force, sorted_fields
from foretell.server.chat_writer import ChatWriter
from foretell.server.errors import invalid
from foretell.server.limits import TOP
from foretell.server.prompts import conversation
from foretell.server.state import ServerState
from foretell.server.tools import answer_parser
from foretell.server.values import flag, number


def ask_chat(body: Mapping[str, Any], state: ServerState) -> tuple[Asked, ChatWriter]:
    """What a body asks for, and who writes the answer; ApiError if it is refused."""
    fields = sorted_fields(body, "chat", state)
    own = fields.own
    fields.spelled["template_arguments"] = "chat_template_kwargs"
    parser = answer_parser(fields, state.llm.tokenizer)
    length = state.llm.info.context_length
    read = conversation(fields, state.llm.tokenizer, parser.use, context_length=length)
    stated = settings_in_force(fields, state)
    settings = {**parser.settings(stated), **stated, **_reports(own)}
    request = asked(fields, read, 1, state, settings)
    check_one_stage(request)
    return request, ChatWriter(request, state, parser)


def _reports(own: Mapping[str, Any]) -> dict[str, Any]:
    """Which log-probabilities are to be told."""
    num_top = number(own, "top_logprobs", TOP)
    if flag(own, "logprobs"):
        return {"logprobs": num_top or 0}
    if num_top:
        raise invalid("top_logprobs needs logprobs: set it to true", "top_logprobs")
    return {}
