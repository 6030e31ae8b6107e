"""What an answer may be beside text, and how it is taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretell.text.reasoning import BEGIN, END, ends_with_mark
from foretell.text.tools.answer import Answer, AnswerReader, join_parts
from foretell.text.tools.use import ToolUse

if TYPE_CHECKING:
    from foretell.config import GenerationConfig
    from foretell.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class AnswerForm:
    """What an answer may be beside text.

    Attributes:
        use: the tools that it may call; None: none.
        tells_thoughts: whether thoughts are told apart.
        tokenizer: the model's.
    """

    use: ToolUse | None
    tells_thoughts: bool
    tokenizer: Tokenizer

    @property
    def is_plain(self) -> bool:
        """Whether an answer is nothing but text."""
        return self.use is None and not self.tells_thoughts

    def reader(self, prompt: Sequence[int], config: GenerationConfig) -> AnswerReader:
        """What takes an answer to this prompt, which is token ids, apart.

        One that the settings hold to a form of its own goes on with no thought of the prompt's.
        """
        may_go_on = self.tells_thoughts and config.form in (None, "structural_tag")
        starts_inside = may_go_on and ends_with_mark(BEGIN, prompt, self.tokenizer)
        return AnswerReader(
            self.use, tells_thoughts=self.tells_thoughts, starts_inside=starts_inside
        )

    def read(self, text: str, prompt: Sequence[int], config: GenerationConfig, key: str) -> Answer:
        """A whole answer, taken apart; the ids of its calls depend on `key`."""
        if self.is_plain:
            return Answer(None, text, ())
        reader = self.reader(prompt, config)
        return join_parts([*reader.feed(text), *reader.finish()], key)

    def settings(self) -> dict[str, Any]:
        """The settings with which such an answer is written: its marks are shown, calls held.

        Calls come behind what is thought.
        """
        held = {} if self.use is None else self.use.settings()
        if held and self.tells_thoughts:
            held["structural_tag"]["thoughts"] = [BEGIN, END]
        marks = [BEGIN, END] if self.tells_thoughts else []
        if self.use is not None:
            syntax = self.use.syntax
            marks += [mark for mark in (syntax.begin, syntax.end, *syntax.opens) if mark]
        hidden = set(marks) & set(self.tokenizer.control_names)
        return {**held, "show_special_tokens": True} if hidden else held


def thinks(template: str | None) -> bool:
    """Whether the model of this chat template tells its thoughts apart."""
    return BEGIN in (template or "")
