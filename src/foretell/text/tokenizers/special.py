"""Finding special tokens in a text, for whoever asks that they be read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from foretell.text.tokenizers.vocabulary import SPECIAL_TYPES, Spacing, TokenType, Vocabulary


class SpecialTokens:
    """Cuts a text at the names of its control tokens.

    At each position the longest name counts. User-defined tokens are looked for too and left as
    text: one that begins first hides a control token's name inside it. White space that a
    control token takes along is left out.

    Attributes:
        names: of the control tokens.
        user_defined: names of the user-defined tokens.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        tokens = vocabulary.tokens
        self._ids = {tokens[i]: i for i in vocabulary.ids_of(*SPECIAL_TYPES)}
        self.names = list(self._ids)
        self._spacing = vocabulary.spacing
        self.user_defined = [tokens[i] for i in vocabulary.ids_of(TokenType.USER_DEFINED)]

    def split(self, text: str) -> Iterator[str | int]:
        """The text in order: stretches of plain text, and ids of control tokens between them."""
        present = [name for name in self._ids if name in text]
        if not present:
            yield text
            return
        names = sorted([*present, *self.user_defined], key=len, reverse=True)
        start = 0
        for match in re.finditer("|".join(map(re.escape, names)), text):
            token_id = self._ids.get(match.group())
            if token_id is not None:
                spacing = self._spacing.get(match.group(), Spacing())
                before = text[start : match.start()]
                yield before.rstrip() if spacing.left else before
                yield token_id
                start = _end_of_space(text, match.end()) if spacing.right else match.end()
        yield text[start:]


def _end_of_space(text: str, start: int) -> int:
    """Where the white space that begins at `start` ends."""
    while start < len(text) and text[start].isspace():
        start += 1
    return start
