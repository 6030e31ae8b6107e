"""Takes the answers to one request apart: reasoning, text, calls of tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretell.config.settings import FORMS
from foretell.text.reasoning import BEGIN, END, ends_with_mark, may_go_on
from foretell.text.tools.answer import Answer, AnswerReader, join_parts
from foretell.text.tools.use import ToolUse

if TYPE_CHECKING:
    from foretell.config import GenerationConfig
    from foretell.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class AnswerParser:
    """Takes answers apart; knows what they may be beside text.

    Attributes:
        use: the tools that they may call; None: none.
        splits_reasoning: whether `<think>` tells reasoning apart.
        tokenizer: the model's.
    """

    use: ToolUse | None
    splits_reasoning: bool
    tokenizer: Tokenizer

    @property
    def is_plain(self) -> bool:
        """Whether an answer is nothing but text."""
        return self.use is None and not self.splits_reasoning

    def reader(self, prompt: Sequence[int], config: GenerationConfig) -> AnswerReader:
        """A reader of one answer, piece by piece, to a prompt of these token ids.

        One of a form that lets nothing be thought goes on with no reasoning of the prompt's.
        """
        goes_on = self.splits_reasoning and may_go_on(config)
        starts_inside = goes_on and ends_with_mark(BEGIN, prompt, self.tokenizer)
        return AnswerReader(
            self.use, splits_reasoning=self.splits_reasoning, starts_inside=starts_inside
        )

    def read(self, text: str, prompt: Sequence[int], config: GenerationConfig, key: str) -> Answer:
        """Take a whole answer apart; the ids of its calls depend on `key`."""
        if self.is_plain:
            return Answer(None, text, ())
        reader = self.reader(prompt, config)
        return join_parts([*reader.feed(text), *reader.finish()], key)

    def settings(self, stated: Mapping[str, Any]) -> dict[str, Any]:
        """The settings that such answers need beside those that are stated.

        Marks are shown, calls held to their schemas; reasoning comes before a form.
        """
        is_json = any(stated.get(name) not in (None, False) for name in ("json_schema", "json"))
        held = {} if self.use is None else self.use.settings(has_form=is_json)
        has_form = any(stated.get(name) not in (None, False) for name in FORMS)
        if self.splits_reasoning and (held or has_form):
            held["allow_thinking"] = True
        marks = [BEGIN, END] if self.splits_reasoning else []
        if self.use is not None:
            syntax = self.use.syntax
            marks += [mark for mark in (syntax.begin, syntax.end, *syntax.opens) if mark]
        hidden = set(marks) & set(self.tokenizer.control_names)
        return {**held, "show_special_tokens": True} if hidden else held
