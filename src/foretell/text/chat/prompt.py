"""From the messages of a conversation to the ids of its prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from foretell.errors import ModelFileError, RequestError
from foretell.text.chat.arguments import check_arguments
from foretell.text.chat.continuation import cut_at_mark, mark_end
from foretell.text.chat.escaping import SpecialTokenEscaper
from foretell.text.chat.ids import ChatPrompt
from foretell.text.chat.messages import Message, adapt_roles, check_messages
from foretell.text.chat.template import ChatTemplate
from foretell.text.length import check_length
from foretell.text.tokenizers.vocabulary import TOOL_TEMPLATE
from foretell.text.tools.definitions import check_tools
from foretell.text.tools.fallback import in_words, knows_tools
from foretell.utils.quoting import name_some, quote
from foretell.utils.surrogates import has_surrogate

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

_NAME = re.compile(r"[\w-]+")


def chat_prompt(
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    *,
    add_generation_prompt: bool | None = None,
    continue_final_message: bool = False,
    template_arguments: Mapping[str, Any] | None = None,
    chat_template: str | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
    context_length: int | None = None,
) -> ChatPrompt:
    """The token ids of a conversation up to where the assistant's answer begins, or goes on.

    The model's chat template says how. A special token's name inside a message or an argument stays
    text, so that no message can end its own turn or speak for another.

    Args:
        tokenizer: the model's.
        messages: what was said. The role `developer` is `system` to templates that do not know it.
        add_generation_prompt: end with the beginning of the assistant's answer; None for yes,
            unless the last message is continued.
        continue_final_message: end in the middle of the last message, as transformers does: without
            an end of turn, and without white space at its end where the template trims.
        template_arguments: more variables for the template, such as `{"enable_thinking": False}`.
        chat_template: the name of one of the model's templates, or Jinja source to take in its
            place. Not given, it is the model's default; with tools its "tool_use", if it has one.
        tools: functions that the assistant may call, as OpenAI describes them. A template that
            knows no tools is told of them, of calls and of answers in the words of messages: see
            `foretell.text.tools.fallback`.
        context_length: most tokens of what is asked for; None: any number.

    Raises:
        ContextLengthError: the length alone says that it has more tokens than that.
        RequestError: there is no template, or the messages or arguments do not suit it, or it makes
            nothing of them, or `chat_template` is broken.
        ModelFileError: the model's template is broken.
    """
    adds_prompt = _adds_generation_prompt(add_generation_prompt, continue_final_message)
    template = template_of(tokenizer, chat_template, has_tools=bool(tools))
    checked, described = check_messages(messages), check_tools(tools) or None
    if not knows_tools(template.source):
        checked, described = in_words(checked, described), None
    escaper = SpecialTokenEscaper(
        tokenizer,
        adapt_roles(checked, template.source),
        source=template.source,
        arguments=check_arguments(template_arguments, template.own_variables),
        tools=described,
    )
    try:
        rendered = _render(
            template, escaper, adds_prompt=adds_prompt, is_open_ended=continue_final_message
        )
    except ModelFileError as error:
        if chat_template is None:
            raise
        raise RequestError(f"chat_template does not work: {error}") from error
    check_length("a chat", rendered, tokenizer, context_length)
    ids = ChatPrompt(escaper.encode(rendered))
    if not ids:
        raise RequestError("the chat template makes an empty prompt of these messages")
    return ids


def chat_text(
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    *,
    continue_final_message: bool = False,
    chat_template: str | None = None,
) -> str:
    """As `chat_prompt`, but the text as it is: what is in a message may count as a special token.

    It is for who reads the text with special tokens as such, as lm-evaluation-harness does.
    """
    template = template_of(tokenizer, chat_template)
    told = adapt_roles(check_messages(messages), template.source)
    if not continue_final_message:
        return template.render(told)
    escaper = SpecialTokenEscaper(tokenizer, told, source=template.source)
    return _render_open_ended(template, told, escaper.unused_character())


def template_of(
    tokenizer: Tokenizer, chat_template: str | None = None, *, has_tools: bool = False
) -> ChatTemplate:
    """That chat template, or the one that the model comes with; see `chat_prompt`.

    RequestError if there is none.
    """
    return ChatTemplate(
        template_source(tokenizer, chat_template, has_tools=has_tools), **tokenizer.special_tokens
    )


def template_source(
    tokenizer: Tokenizer, chat_template: str | None = None, *, has_tools: bool = False
) -> str:
    """The Jinja source of the same."""
    named = tokenizer.chat_templates
    if chat_template is None:
        source = usual_template(tokenizer, has_tools=has_tools)
        if source is None:
            raise RequestError(_no_template(named))
        return source
    if not isinstance(chat_template, str) or has_surrogate(chat_template):
        raise RequestError(f"chat_template={quote(chat_template)} must be a string of Unicode")
    if chat_template in named:
        return named[chat_template]
    if named and _NAME.fullmatch(chat_template):
        raise RequestError(
            f"chat_template={quote(chat_template)} must be one of the model's templates "
            f"({name_some(sorted(named))}) or Jinja source"
        )
    return chat_template


def usual_template(tokenizer: Tokenizer, *, has_tools: bool) -> str | None:
    """The template of a chat that asks for none."""
    own = tokenizer.chat_templates.get(TOOL_TEMPLATE) if has_tools else None
    return own or tokenizer.chat_template


def _no_template(named: Mapping[str, str]) -> str:
    if named:
        return (
            f"this model comes with no default chat template: set chat_template to one of its own, "
            f"{name_some(sorted(named))}"
        )
    return "this model comes with no chat template, so it cannot chat: give a text to be continued"


def _render(
    template: ChatTemplate, escaper: SpecialTokenEscaper, *, adds_prompt: bool, is_open_ended: bool
) -> str:
    """What the template makes of the messages; with an open end, up to the last one's."""
    told: dict[str, Any] = {"arguments": escaper.arguments, "tools": escaper.tools}
    if is_open_ended:
        mark = escaper.unused_character()
        return _render_open_ended(template, escaper.messages, mark, **told)
    return template.render(escaper.messages, add_generation_prompt=adds_prompt, **told)


def _render_open_ended(
    template: ChatTemplate, messages: Sequence[Message], mark: str, **more: Any
) -> str:
    """The prompt up to the end of the last message's text; `mark` is in no message."""
    *before, last = messages
    content = last["content"]
    marked = [*before, {**last, "content": mark_end(content, mark)}]
    text = template.render(marked, add_generation_prompt=False, **more)
    return cut_at_mark(text, content, mark)


def _adds_generation_prompt(asked: bool | None, continues: bool) -> bool:
    for name, value in (("add_generation_prompt", asked), ("continue_final_message", continues)):
        if value is not None and not isinstance(value, bool):
            raise RequestError(f"{name}={quote(value)} must be True or False")
    if asked and continues:
        raise RequestError(
            "add_generation_prompt=True contradicts continue_final_message=True: the prompt ends "
            "with the beginning of an answer or in the middle of the last message"
        )
    return not continues if asked is None else asked
