"""Prompts of requests: conversations, and texts that begin in another way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from foretell.inputs.prompts import Prompt
from foretell.server.errors import invalid
from foretell.server.messages import chat_messages
from foretell.server.sorting import Fields
from foretell.server.values import checked, flag
from foretell.text.chat.prompt import chat_prompt
from foretell.text.tokenizer import Tokenizer
from foretell.text.tools.use import ToolUse
from foretell.utils.quoting import quote


def conversation(
    fields: Fields,
    tokenizer: Tokenizer,
    use: ToolUse | None = None,
    *,
    context_length: int | None = None,
) -> Callable[[], list[int]]:
    """What renders the messages among a body's fields, in a helper thread.

    Args:
        fields: the body's.
        tokenizer: the model's.
        use: the tools that the template is told of.
        context_length: most tokens of the prompt; None: any number.

    ApiError if they are no list, or if a text is given beside them.
    """
    own = fields.own
    if "prompt" in own:
        raise invalid("prompt and messages are both given: give one of them", "prompt")
    if flag(own, "add_special_tokens"):
        raise invalid(
            "add_special_tokens is refused: the chat template begins the prompt",
            "add_special_tokens",
            "unsupported_parameter",
        )
    return partial(
        chat_prompt,
        tokenizer,
        chat_messages(fields),
        context_length=context_length,
        **template_wishes(own, use),
    )


def template_wishes(own: Mapping[str, Any], use: ToolUse | None = None) -> dict[str, Any]:
    """What is asked of the chat template, as arguments of `chat_prompt`."""
    wishes: dict[str, Any] = {} if use is None else {"tools": use.tools}
    for name in ("continue_final_message", "add_generation_prompt"):
        if name in own:
            wishes[name] = flag(own, name)
    arguments = checked(own, "chat_template_kwargs", dict, None)
    if arguments:
        wishes["template_arguments"] = arguments
    return wishes


def plain_ids(prompt: Prompt, own: Mapping[str, Any], tokenizer: Tokenizer) -> Prompt:
    """A text's ids without those that the model wants at its beginning; other prompts as they are.

    `own` says whether special tokens written out in the text count as such. ApiError for a text of
    which there is nothing then.
    """
    if not isinstance(prompt, str):
        return prompt
    parses = flag(own, "parse_special")
    token_ids = tokenizer.encode(prompt, add_special_tokens=False, parse_special=parses)
    if not token_ids:
        raise invalid(f"prompt={quote(prompt)} is empty: must have at least one token", "prompt")
    return token_ids
