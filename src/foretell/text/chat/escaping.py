"""Messages that cannot pose as special tokens.

A template mixes its own text with what people wrote, and the tokenizer then reads the names of
special tokens in all of it. So the first character of each such name in a message is exchanged for
a stand-in before rendering, and so is a character of what could become a name where a message meets
its neighbours. It comes back once the prompt has been cut at the names that are left: the
template's own. But for the stand-ins, templates see the real text, to trim, compare and cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from foretell.errors import RequestError
from foretell.text.chat.names import Names, names_of

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

PRIVATE_USE = range(0xF0000, 0xFFFFE)  # code points that mean nothing by themselves


class SpecialTokenEscaper:
    """The messages of one prompt with stand-ins in them, and the way back to token ids.

    Control tokens' names are escaped everywhere. User-defined tokens, which are read as such even
    in plain text, are escaped where the template mentions them, and their names are cut in two
    for the tokenizer; but not in what the assistant said: templates look for `</think>` there.
    Behind the others the text is cut where `tokenizer.spaces_user_defined`: nobody wrote a space.

    Args:
        tokenizer: whose tokens.
        messages: with a role and a content each, and what else a `Message` may have.
        source: the template, if it is not the tokenizer's own.
        arguments: other values for the template, of JSON's types, with text that is not its own.
        tools: what the assistant may call, of JSON's types too.

    Attributes:
        messages: what to render.
        arguments, tools: likewise.

    Raises:
        RequestError: the messages use up all of `PRIVATE_USE`.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        messages: Sequence[Mapping[str, Any]],
        *,
        source: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        source = source or tokenizer.chat_template or ""
        arguments = arguments or {}
        everything = [*messages, arguments, *(tools or ())]
        texts = [text for one in everything for text in _texts_in(one)]
        self._unused = _unused_characters([source, *texts])
        self._cut = next(self._unused)
        self._stand_ins: dict[tuple[str, bool], str] = {}
        names = names_of(tokenizer)
        self._control = names.control
        self._turns, others = names.user_defined(source)
        self._others = others if tokenizer.spaces_user_defined else Names([])
        self.messages = [self._escape_message(message) for message in messages]
        self.arguments = {name: self._escape_value(value) for name, value in arguments.items()}
        self.tools = None if tools is None else [self._escape_value(tool) for tool in tools]

    def unused_character(self) -> str:
        """A character that is in no text here, and stands for none."""
        return next(self._unused)

    def encode(self, prompt: str) -> list[int]:
        """Token ids of the rendered messages."""
        real = {
            ord(stand_in): char + self._cut if is_cut else char
            for (char, is_cut), stand_in in self._stand_ins.items()
        }
        return self._tokenizer.encode_parts(
            part if isinstance(part, int) else part.translate(real).split(self._cut)
            for part in self._tokenizer.split(prompt)
        )

    def _escape_message(self, message: Mapping[str, Any]) -> dict[str, Any]:
        cuts_names = message["role"] != "assistant"
        return {
            key: self._escape_value(value, cuts_names, has_edges=key != "role")
            for key, value in message.items()
        }

    def _escape_value(self, value: Any, cuts_names: bool = True, *, has_edges: bool = True) -> Any:
        if isinstance(value, str):
            return self._escape(value, cuts_names, has_edges=has_edges)
        if isinstance(value, Mapping):
            return {
                self._escape(key, cuts_names): self._escape_value(one, cuts_names)
                for key, one in value.items()
            }
        if isinstance(value, list):
            return [self._escape_value(one, cuts_names) for one in value]
        return value

    def _escape(self, text: str, cuts_names: bool, *, has_edges: bool = True) -> str:
        hidden = set(self._control.starts_in(text))
        if has_edges:
            hidden |= self._control.edges_of(text)
        cut = set()
        if cuts_names:
            cut = {*self._turns.starts_in(text), *self._others.last_of_each_in(text)}
        if not hidden and not cut:
            return text
        chars = list(text)
        for index in sorted(hidden | cut):
            chars[index] = self._stand_in(text[index], index in cut)
        return "".join(chars)

    def _stand_in(self, char: str, is_cut: bool) -> str:
        key = (char, is_cut)
        if key not in self._stand_ins:
            self._stand_ins[key] = next(self._unused)
        return self._stand_ins[key]


def _texts_in(value: Any) -> Iterator[str]:
    """All texts in a value of JSON's types, the names in its objects too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield key
            yield from _texts_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts_in(one)


def _unused_characters(texts: Iterable[str]) -> Iterator[str]:
    used = set().union(*(text for text in texts if not text.isascii()))
    for code in PRIVATE_USE:
        if chr(code) not in used:
            yield chr(code)
    raise RequestError(
        f"the messages use all private characters U+{PRIVATE_USE[0]:X} to U+{PRIVATE_USE[-1]:X}: "
        "must leave a few of them out"
    )
