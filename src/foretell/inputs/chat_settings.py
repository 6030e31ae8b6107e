"""What chats may be told beside settings, for type checkers and editors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from foretell.config.typed import GenerationSettings, SampleSettings


class ToolSettings(TypedDict, total=False):
    """What a chat may be told of tools."""

    tools: Sequence[Mapping[str, Any]] | None
    """functions that the model may call, as OpenAI describes them"""
    tool_choice: str | Mapping[str, Any] | None
    """"auto", "none", "required", the name of a tool, or OpenAI's objects for these"""
    parallel_tool_calls: bool | None
    """whether there may be several calls in one answer; True if not set"""
    tool_syntax: str | None
    """how the model writes calls: "hermes", "llama3", "mistral" or "json"; not set: as its template
    shows"""


class TemplateSettings(TypedDict, total=False):
    """What a chat may be told of the template that makes its prompt."""

    chat_template: str | None
    """the name of one of the model's templates, such as "rag", or Jinja source; not set: its
    default, with tools its "tool_use", if it has one"""


class ChatSampleSettings(SampleSettings, ToolSettings, TemplateSettings, total=False):
    """Settings of one answer."""


class ChatSettings(GenerationSettings, ToolSettings, TemplateSettings, total=False):
    """Settings of answers."""
