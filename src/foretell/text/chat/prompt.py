"""From the messages of a conversation to the ids of its prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from foretell.errors import ModelFileError, RequestError
from foretell.text.chat.arguments import check_arguments
from foretell.text.chat.continuation import cut_at_mark, mark_end
from foretell.text.chat.escaping import SpecialTokenEscaper
from foretell.text.chat.messages import Message, adapt_roles, check_messages
from foretell.text.chat.template import ChatTemplate
from foretell.text.tools.definitions import check_tools
from foretell.text.tools.fallback import in_words, knows_tools
from foretell.utils.quoting import quote
from foretell.utils.surrogates import has_surrogate

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


def chat_prompt(
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    *,
    add_generation_prompt: bool | None = None,
    continue_final_message: bool = False,
    template_arguments: Mapping[str, Any] | None = None,
    chat_template: str | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
) -> list[int]:
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
        chat_template: Jinja source to take in place of the model's own.
        tools: functions that the assistant may call, as OpenAI describes them. A template that
            knows no tools is told of them, of calls and of answers in the words of messages: see
            `foretell.text.tools.fallback`.

    Raises:
        RequestError: there is no template, or the messages or arguments do not suit it, or
            `chat_template` is broken.
        ModelFileError: the model's template is broken.
    """
    adds_prompt = _adds_generation_prompt(add_generation_prompt, continue_final_message)
    template = template_of(tokenizer, chat_template)
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
        if continue_final_message:
            return escaper.encode(_render_open_ended(template, escaper))
        return escaper.encode(
            template.render(
                escaper.messages,
                add_generation_prompt=adds_prompt,
                arguments=escaper.arguments,
                tools=escaper.tools,
            )
        )
    except ModelFileError as error:
        if chat_template is None:
            raise
        raise RequestError(f"chat_template does not work: {error}") from error


def template_of(tokenizer: Tokenizer, chat_template: str | None = None) -> ChatTemplate:
    """That chat template, or the one that the model comes with; RequestError if there is none."""
    source = tokenizer.chat_template if chat_template is None else chat_template
    if source is None:
        raise RequestError(
            "this model comes with no chat template, so it cannot chat: give a text to be continued"
        )
    if not isinstance(source, str) or has_surrogate(source):
        raise RequestError(f"chat_template={quote(source)} must be a string of Unicode")
    return ChatTemplate(source, **tokenizer.special_tokens)


def _render_open_ended(template: ChatTemplate, escaper: SpecialTokenEscaper) -> str:
    mark = escaper.unused_character()
    *before, last = escaper.messages
    content = last["content"]
    marked = [*before, {**last, "content": mark_end(content, mark)}]
    text = template.render(
        marked, add_generation_prompt=False, arguments=escaper.arguments, tools=escaper.tools
    )
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
