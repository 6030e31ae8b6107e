"""What the form of a text says of the tokens to come."""

from __future__ import annotations

from collections.abc import Sequence

from foretell.decoding.context import FormMatchers
from foretell.decoding.processors.base import History


class FormForesight:
    """Foresees what a language leaves no choice to, such as the separators of a JSON object.

    A language of characters can mostly be spelled in other tokens too, so a forced token is drawn
    as any other is, and is very likely right.
    """

    def __init__(self, matchers: FormMatchers) -> None:
        self._matchers = matchers

    def forced(self, history: History, most: int) -> Sequence[int]:
        """The tokens, `most` at most, that the text goes on with, as a tokenizer spells them."""
        return self._matchers.at(history).forced_tokens()[:most]

    def num_possible(self, history: History, tokens: Sequence[int]) -> int:
        """How many of these tokens, from the first on, the language allows."""
        return self._matchers.at(history).validate(tokens)
