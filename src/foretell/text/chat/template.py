"""From messages to a prompt, by the Jinja template that a model comes with.

    template = ChatTemplate(tokenizer.chat_template, bos_token="<s>", eos_token="</s>")
    template.render([{"role": "user", "content": "Hello"}])

A template comes from a stranger: it is rendered by another process (`renderer.py`), which has so
much time and memory and no more.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from foretell.errors import BusyError, ForetellError, ModelFileError, RequestError
from foretell.text.chat.messages import Message, check_messages
from foretell.text.chat.renderer import RENDERER, STANDS_STILL
from foretell.utils.quoting import one_line
from foretell.utils.surrogates import has_surrogate

MAX_SECONDS = 1.0  # of processor time
MAX_WALL_SECONDS = 2.0 if sys.platform == "win32" else 20.0  # elsewhere only if the former fails
MAX_BYTES = 2**29  # of address space
MAX_CHARACTERS = 2**24  # of the prompt

_OWN_VARIABLES = (
    "messages",
    "tools",
    "add_generation_prompt",
    "continue_final_message",
    "chat_template",
)


class ChatTemplate:
    """Jinja source that turns a conversation into a prompt, with what it needs to know.

    Args:
        source: the template.
        special_tokens: names of the special tokens that it may mention, by role: `bos_token`, ...
    """

    def __init__(self, source: str, /, **special_tokens: str) -> None:
        self.source = source
        self._special_tokens = special_tokens

    @property
    def own_variables(self) -> frozenset[str]:
        """Names of the variables that no argument may replace."""
        return frozenset({*self._special_tokens, *_OWN_VARIABLES})

    def render(
        self,
        messages: Sequence[Message],
        *,
        add_generation_prompt: bool = True,
        arguments: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
    ) -> str:
        """The prompt: all messages, and the beginning of the assistant's answer unless unwanted.

        Args:
            messages: what was said.
            add_generation_prompt: whether the template is to begin the assistant's answer.
            arguments: more variables for the template, of JSON's types, by name.
            tools: what the assistant may call, as OpenAI describes it; None where there is nothing.

        Raises:
            RequestError: the messages are malformed, or the template does not take them.
            BusyError: the process that renders does not answer, or cannot be started now.
            ModelFileError: the template is broken, does what it must not do, or does not come to
                an end within a second of computing.
        """
        context = {
            "documents": None,
            **(arguments or {}),
            **self._special_tokens,
            "messages": check_messages(messages),
            "tools": None if tools is None else [*tools],
            "add_generation_prompt": add_generation_prompt,
        }
        answer = _answer_to(self.source, context)
        if "error" in answer:
            raise _error_of(answer["error"], answer["reason"])
        text = answer["text"]
        if has_surrogate(text):
            raise ModelFileError("the chat template writes a lone surrogate: must write Unicode")
        return text


def _answer_to(source: str, context: Mapping[str, Any]) -> dict[str, str]:
    setup = {"path": sys.path, "max_bytes": MAX_BYTES}
    job = {
        "source": source,
        "context": context,
        "max_seconds": MAX_SECONDS,
        "max_characters": MAX_CHARACTERS,
    }
    return RENDERER.answer(job, setup, max_seconds=MAX_WALL_SECONDS)


def _error_of(kind: str, reason: str) -> ForetellError:
    reason = one_line(reason)
    if kind == "refused":
        return RequestError(f"the chat template does not take these messages: {reason}")
    if kind == "worker":
        return RequestError(f"the chat template cannot be rendered: {reason}")
    if kind == "still":
        return BusyError(STANDS_STILL)
    if kind == "time":
        return ModelFileError(
            f"the chat template does not come to an end: must be rendered in {MAX_SECONDS:g} s"
        )
    if kind == "size":
        return ModelFileError(
            f"the chat template takes too much memory: must stay below {MAX_BYTES >> 20} MiB, "
            f"and {MAX_CHARACTERS} characters of text"
        )
    return ModelFileError(f"the chat template is broken: {reason}")
