"""Text that comes in pieces, broken into lines between words."""

from __future__ import annotations

from foretell.utils.display import width_of

HANGUL = ("\u1100", "\u11ff"), ("\u3130", "\u318f"), ("\uac00", "\ud7ff")


class WordWrapper:
    """Breaks a text at the spaces between words, so that no line is longer than `columns`.

    A word is given out once its end is known. Wide letters that are written without spaces
    (Chinese, Japanese) may be parted anywhere, and a word that is too long for a line is.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._column = 0
        self._space = ""
        self._word = ""

    def push(self, text: str) -> str:
        """Take a piece; what is certain by now."""
        return "".join(map(self._take, text))

    def finish(self) -> str:
        """What is left."""
        return self._place_word() + self._take_space()

    def _take(self, character: str) -> str:
        if character == "\n":
            shown = self._place_word() + character
            self._column, self._space = 0, ""
            return shown
        if character in " \t":
            shown = self._place_word()
            self._space += character.expandtabs(4)
            return shown
        if _stands_alone(character):
            shown = self._place_word()
            self._word = character
            return shown + self._place_word()
        shown = ""
        if width_of(self._word + character) > self._columns:
            shown = self._place_word()
        self._word += character
        return shown

    def _place_word(self) -> str:
        """The word that has come so far, on this line or the next."""
        if not self._word:
            return ""
        width = width_of(self._word)
        if self._column + len(self._space) + width > self._columns:
            shown = "\n" if self._column else ""
            self._column, self._space = 0, ""
        else:
            shown = self._take_space()
        shown += self._word
        self._column += width
        self._word = ""
        return shown

    def _take_space(self) -> str:
        space, self._space = self._space, ""
        self._column += len(space)
        return space


def _stands_alone(character: str) -> bool:
    """Whether a line may end before and after this letter."""
    if width_of(character) < 2:
        return False
    return not any(low <= character <= high for low, high in HANGUL)
