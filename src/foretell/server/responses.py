"""`/v1/responses`: from its body to a request. Nothing is kept of it once it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from foretell.server.asking import Asked, asked, check_one_stage, settings_in_force, sorted_fields
from foretell.server.errors import invalid
from foretell.server.forms import text_format
from foretell.server.input_items import messages_of
from foretell.server.limits import MAX_METADATA, MAX_METADATA_NAME, MAX_METADATA_TEXT, TOP
from foretell.server.prompts import template_wishes
from foretell.server.response_writer import ResponseWriter
from foretell.server.sorting import Fields
from foretell.server.state import ServerState
from foretell.server.tools import answer_parser
from foretell.server.values import checked, number
from foretell.text.chat.prompt import chat_prompt
from foretell.utils.quoting import quote

LOGPROBS = "message.output_text.logprobs"
NOT_MADE = (
    "reasoning.encrypted_content",
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "message.input_image.image_url",
)
"""Things to include that no answer has here."""


def ask_response(body: Mapping[str, Any], state: ServerState) -> tuple[Asked, ResponseWriter]:
    """What a body asks for, and who writes the answer; ApiError if it is refused."""
    fields = sorted_fields(body, "responses", state)
    own = fields.own
    fields.spelled |= {"template_arguments": "chat_template_kwargs", "messages": "input"}
    instructions = checked(own, "instructions", str, None)
    messages = messages_of(fields, instructions)
    _check_text(fields)
    _check_reasoning(own)
    _check_metadata(own)
    parser = answer_parser(fields, state.llm.tokenizer)
    read = partial(
        chat_prompt,
        state.llm.tokenizer,
        messages,
        context_length=state.llm.info.context_length,
        **template_wishes(own, parser.use),
    )
    stated = settings_in_force(fields, state)
    settings = {**parser.settings(stated), **stated, **_reports(fields)}
    request = asked(fields, read, 1, state, settings)
    if request.num_choices > 1:
        name = fields.spelled.get("num_return_sequences", "num_return_sequences")
        raise invalid(f"{name} must be 1: a response has one text", name)
    check_one_stage(request)
    return request, ResponseWriter(request, state, parser)


def _reports(fields: Fields) -> dict[str, Any]:
    """Which log-probabilities are to be told."""
    wishes = checked(fields.own, "include", list, [])
    num_top = number(fields.own, "top_logprobs", TOP)
    for wish in wishes:
        if not isinstance(wish, str):
            raise invalid(f"include has {quote(wish)}: must be a list of strings", "include")
        if wish not in (LOGPROBS, *NOT_MADE):
            fields.pass_over(f"include.{wish}")
    if LOGPROBS in wishes:
        return {"logprobs": num_top or 0}
    if num_top:
        raise invalid(f'top_logprobs needs include: have "{LOGPROBS}" in it', "top_logprobs")
    return {}


def _check_text(fields: Fields) -> None:
    """Take the form that the text is to have; ApiError if there is none such."""
    wishes = _known(fields.own, "text")
    form = wishes.pop("format", None)
    if form is not None:
        fields.take_all("text", text_format("text.format", form))
    wishes.pop("verbosity", None)
    for name in wishes:
        fields.pass_over(f"text.{name}")


def _check_reasoning(own: Mapping[str, Any]) -> None:
    """Raise ApiError if a way of thinking is asked for."""
    effort = _known(own, "reasoning").get("effort")
    if effort not in (None, "none"):
        raise invalid(
            f"reasoning.effort={quote(effort)} is refused: "
            "give the chat template its own variable in chat_template_kwargs, or set "
            "thinking_budget",
            "reasoning",
            "unsupported_parameter",
        )


def _check_metadata(own: Mapping[str, Any]) -> None:
    """Raise ApiError for metadata that is not what the answer can have."""
    found = checked(own, "metadata", dict, {})
    if len(found) > MAX_METADATA:
        raise invalid(f"metadata must have at most {MAX_METADATA} entries", "metadata")
    for name, text in found.items():
        if len(name) > MAX_METADATA_NAME:
            most = f"at most {MAX_METADATA_NAME} characters"
            raise invalid(f"metadata has {quote(name)}: names must have {most}", "metadata")
        if not isinstance(text, str) or len(text) > MAX_METADATA_TEXT:
            kind = f"a text of at most {MAX_METADATA_TEXT} characters"
            raise invalid(f"metadata[{quote(name)}] is {quote(text)}: must be {kind}", "metadata")


def _known(own: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The entries of a field that is an object, but for those of null."""
    found = checked(own, name, dict, {})
    return {key: value for key, value in found.items() if value is not None}
