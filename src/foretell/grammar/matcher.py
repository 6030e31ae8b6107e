"""How far a text has come in its language: the tokens that may come next, whether it may end.

A `Grammar` is compiled once and is not changed; each text has a `Matcher` of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ConfigError
from foretell.grammar.messages import plain_message

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

Allowed = NDArray[np.bool_]
"""For each token of the vocabulary whether it may come next, `(vocab_size,)`."""


class Past(Protocol):
    """A sequence's tokens, and how many of them are the prompt's."""

    @property
    def index(self) -> int:
        """Which of its request's sequences it is."""
        ...

    @property
    def tokens(self) -> Sequence[int]:
        """Ids of the prompt and of all that was generated."""
        ...

    @property
    def num_prompt_tokens(self) -> int:
        """How many of the ids are the prompt's."""
        ...


class Grammar:
    """A language, compiled for one vocabulary.

    Its end is a token of its own behind the vocabulary, since which ids end a text is a setting of
    the request.

    Attributes:
        setting: the name of the setting that it comes from.
        passed_over: what of the setting it does not hold a text to, a sentence each.

    Args:
        marks: control tokens, by their names, that are read as such in a text that it accepts.
    """

    def __init__(
        self,
        setting: str,
        root: LLMatcher,
        tokenizer: LLTokenizer,
        passed_over: Sequence[str] = (),
        marks: Mapping[str, int] | None = None,
    ) -> None:
        self.setting = setting
        self._marks = marks or {}
        self.passed_over = tuple(passed_over)
        self._root = root
        self._tokenizer = tokenizer

    def start(self) -> Matcher:
        """A matcher at the beginning of a text."""
        return Matcher(self.setting, self._root.deep_copy(), self._tokenizer.vocab_size - 1)

    def accepts(self, text: str) -> bool:
        """Whether a whole text is of this language."""
        tokens = self._tokens_of(text)
        matcher = self._root.deep_copy()
        return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()

    def _tokens_of(self, text: str) -> list[int]:
        """A text's tokens, with those of marks that are control tokens."""
        found: list[int] = []
        pieces = re.split("|".join(f"({re.escape(name)})" for name in self._marks), text)
        for piece in filter(None, pieces if self._marks else [text]):
            mark = self._marks.get(piece)
            found += [mark] if mark is not None else self._tokenizer.tokenize_bytes(piece.encode())
        return found


class Matcher:
    """One text's place in its language.

    What went wrong is told by `allowed`, and by nothing else: a commit must not fail.
    """

    def __init__(self, setting: str, core: LLMatcher, end: int) -> None:
        self._setting = setting
        self._core = core
        self._end = end
        self._bits = np.empty(end // 32 + 1, dtype=np.uint32)
        self._is_current = False  # whether the bits are those of the state
        self._pointer = self._bits.ctypes.data

    def clone(self) -> Matcher:
        """Another one at the same place."""
        return Matcher(self._setting, self._core.deep_copy(), self._end)

    def advance(self, tokens: Sequence[int]) -> None:
        """Take note of the next tokens."""
        self._core.consume_tokens([*tokens])
        self._is_current = False

    @property
    def is_accepting(self) -> bool:
        """Whether the text is complete as it stands."""
        return self._core.is_accepting()

    @property
    def has_ended(self) -> bool:
        """Whether the text is complete, and nothing can come any more."""
        core = self._core
        if not core.is_accepting() or core.is_error():
            return False
        return core.is_stopped() or not self._may_go_on()

    def allowed(self) -> Allowed:
        """The tokens that may come next, fresh: none but the end may be left.

        Raises:
            ConfigError: the language is too complex to go on with.
        """
        self._fill()
        if self._core.is_error():
            reason = plain_message(self._core.get_error())
            raise ConfigError(f"{self._setting} is too complex to go on with: {reason}")
        found = np.unpackbits(self._bits.view(np.uint8), count=self._end, bitorder="little")
        return found.view(np.bool_)

    def forced_tokens(self) -> list[int]:
        """The tokens that must come next, as far as they are certain."""
        return [token for token in self._core.compute_ff_tokens() if token < self._end]

    def validate(self, tokens: Sequence[int]) -> int:
        """How many of these tokens could come next, one after the other; nothing is changed."""
        return self._core.validate_tokens([*tokens])

    def _fill(self) -> None:
        if not self._is_current:
            self._core.unsafe_compute_mask_ptr(self._pointer, self._bits.nbytes)
            self._is_current = True

    def _may_go_on(self) -> bool:
        self._fill()
        word, bit = divmod(self._end, 32)
        rest = self._bits.copy()
        rest[word] &= np.uint32(~(1 << bit) & 0xFFFFFFFF)
        return bool(rest.any())


class Matchers:
    """The matchers of a request's sequences, each brought up to its sequence when it is asked for.

    A sequence of samples only grows, and is known by its index. Those of a search fork and end, and
    are known by what they have written.
    """

    def __init__(self, grammar: Grammar, *, by_text: bool = False) -> None:
        self._grammar = grammar
        self._by_text = by_text
        self._by_index: dict[int, tuple[int, Matcher]] = {}
        self._by_tokens: dict[tuple[int, ...], Matcher] = {}

    def at(self, history: Past) -> Matcher:
        """The matcher of a sequence, behind its last token."""
        if self._by_text:
            return self._of_text(tuple(history.tokens[history.num_prompt_tokens :]))
        length = len(history.tokens)
        known, matcher = self._by_index.get(history.index, (length + 1, None))
        if matcher is None or known > length:  # new, or some tokens were taken back
            known, matcher = history.num_prompt_tokens, self._grammar.start()
        if known < length:
            matcher.advance(history.tokens[known:])
        self._by_index[history.index] = (length, matcher)
        return matcher

    def _of_text(self, tokens: tuple[int, ...]) -> Matcher:
        """A clone of the parent's matcher; those of two steps are kept."""
        found = self._by_tokens.get(tokens)
        if found is None:
            parent = self._by_tokens.get(tokens[:-1])
            found = self._grammar.start() if parent is None else parent.clone()
            found.advance(tokens if parent is None else tokens[-1:])
            if all(len(one) < len(tokens) for one in self._by_tokens):
                self._forget(len(tokens) - 1)
            self._by_tokens[tokens] = found
        return found

    def _forget(self, length: int) -> None:
        self._by_tokens = {
            tokens: matcher for tokens, matcher in self._by_tokens.items() if len(tokens) >= length
        }
