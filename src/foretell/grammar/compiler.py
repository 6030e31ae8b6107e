"""Compiles languages for one model, each once; those used last are kept.

It may be asked from any thread. It holds none up but those that ask for the same language: the
library compiles without Python's lock.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from foretell.errors import ConfigError
from foretell.grammar import keywords
from foretell.grammar.blame import find_cause
from foretell.grammar.deep_stack import run_deep
from foretell.grammar.matcher import Grammar
from foretell.grammar.messages import plain_message
from foretell.grammar.sources import Source, grammar_text, json_grammar, schemas_of
from foretell.grammar.vocabulary import SPECIAL, TokenBytes, build_tokenizer
from foretell.utils.extras import how_to_install

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLParserLimits, LLTokenizer

MAX_KEPT = 64
"""Languages that are kept. One takes some kilobytes as a rule, and hundreds of megabytes at worst,
so what they were made from is counted too."""

MAX_KEPT_CHARACTERS = 2**22

MAX_ITEMS = 2500
"""Places of a grammar that a text may be at; as many tools as may be called take two each."""

MAX_BLAMED_CHARACTERS = 2**22
"""Of all schemas together that are compiled to find the one that is to blame."""


class GrammarCompiler:
    """Makes grammars of sources.

    Args:
        read_vocabulary: gives the model's tokens; it is called once, with the first source.
    """

    def __init__(self, read_vocabulary: Callable[[], TokenBytes]) -> None:
        self._read_vocabulary = read_vocabulary
        self._lock = Lock()
        self._kept: OrderedDict[Source, _Once] = OrderedDict()

    def compile(self, source: Source) -> Grammar:
        """The grammar of a source, compiled now if it is not kept.

        Raises:
            ConfigError: the source makes no sense, is too complex, or the library is missing.
        """
        require_library()
        with self._lock:
            once = self._kept.setdefault(source, _Once())
            self._kept.move_to_end(source)
            self._forget_oldest()
        return once.get(lambda: run_deep(lambda: self._compile(source)))

    def _forget_oldest(self) -> None:
        total = sum(len(source.text) for source in self._kept)
        while len(self._kept) > 1 and (len(self._kept) > MAX_KEPT or total > MAX_KEPT_CHARACTERS):
            source, _ = self._kept.popitem(last=False)
            total -= len(source.text)

    @cached_property
    def _parts(self) -> tuple[LLTokenizer, dict[str, int]]:
        vocabulary = self._read_vocabulary()
        special = {
            vocabulary.tokens[index].removeprefix(SPECIAL).decode(errors="replace"): index
            for index in vocabulary.special
        }
        return build_tokenizer(vocabulary), special

    def _tokenizer(self) -> tuple[LLTokenizer, dict[str, int]]:
        with self._lock:
            return self._parts

    def _compile(self, source: Source) -> Grammar:
        from llguidance import LLMatcher

        tokenizer, special = self._tokenizer()
        try:
            text = grammar_text(source, special)
        except RecursionError as error:
            raise ConfigError(f"{source.setting} is nested too deeply") from error
        except ValueError as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"{source.setting} cannot be read: {plain_message(error)}") from error
        root = LLMatcher(tokenizer, text, log_level=0, limits=_limits())
        if root.is_error():
            raise _cannot_compile(source, plain_message(root.get_error()))
        _check_first_step(source.setting, root)
        marks = () if source.thoughts is None else (source.thoughts.begin, source.thoughts.end)
        names = {name: special[name] for name in marks if name in special}
        return Grammar(source.setting, root, tokenizer, _passed_over(source, root), names)


class _Once:
    """Something that is made by the first who asks; the others wait for it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._made: Grammar | None = None

    def get(self, make: Callable[[], Grammar]) -> Grammar:
        with self._lock:
            if self._made is None:
                self._made = make()
            return self._made


def require_library() -> None:
    """Raise ConfigError, which says what to install, where the library is missing."""
    try:
        import llguidance  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"structured output needs llguidance: {how_to_install('grammar')}"
        ) from error


def _limits() -> LLParserLimits:
    """What one step and one language may take; a step ends within some 20 ms at worst."""
    from llguidance import LLParserLimits

    return LLParserLimits(max_lexer_states=50_000, max_items_in_row=MAX_ITEMS, verbose_errors=False)


def _cannot_compile(source: Source, message: str) -> ConfigError:
    """The error of a source that the library does not take; by keyword and path in a schema."""
    for name, schema, is_lenient in schemas_of(source):
        most = MAX_BLAMED_CHARACTERS // len(source.text)
        message_of = partial(_message_of, replace(source, lenient=is_lenient))
        cause = find_cause(schema, message_of, most)
        if cause is not None:
            return ConfigError(f"{name}: {cause}")
    return ConfigError(f"{source.setting} cannot be compiled: {message}")


def _message_of(source: Source, schema: Any) -> str:
    """What the library says against a schema; empty if it takes it."""
    from llguidance import LLMatcher

    try:
        text = json_grammar(schema, source)
    except ValueError as error:
        return plain_message(error)
    return plain_message(LLMatcher.validate_grammar(text, limits=_limits()))


def _check_first_step(setting: str, root: LLMatcher) -> None:
    """Raise ConfigError for a language of which there is no text, or too much of it at once."""
    mask = root.compute_bitmask()
    message = root.get_error()
    if message and not message.startswith("NoExtension"):  # which is that nothing may come
        raise ConfigError(f"{setting} is too complex: {plain_message(message)}")
    if message or not any(mask):
        raise ConfigError(f"{setting} allows no text at all: must allow one")


def _passed_over(source: Source, root: LLMatcher) -> list[str]:
    """What the grammar does not hold a text to, in sentences."""
    said = [f"{source.setting}: {one}" for one in root.get_grammar_warnings()]
    for name, schema, is_lenient in schemas_of(source):
        found = keywords.unknown(schema)
        if is_lenient:
            found = [*keywords.unsupported(schema), *found]
        said += [f"{name}: {one}" for one in found]
    return said
