"""Writes `foretell/config/typed.py`: the settings as keyword arguments, from the one table.

make types
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import foretell
from foretell import GenerationConfig
from foretell.config.settings import SETTINGS
from foretell.config.values import (
    CHOICES,
    DECAY,
    EARLY_STOPPING,
    FUNCTIONS,
    LAYERS,
    REGEXES,
    SEQUENCE_BIASES,
    STAGE_NAMES,
    TEXTS,
    TOKEN_BIASES,
    TOKEN_IDS,
    WORDS,
    Values,
)

PATH = Path(foretell.__file__).parent / "config" / "typed.py"

HEAD = '''"""The settings as keyword arguments, for type checkers and editors. Made by `make types`.

A function that hands settings on says so:

    def ask(llm: LLM, question: str, **settings: Unpack[GenerationSettings]) -> str: ...

Where they are `SampleSettings`, a prompt has one output; with `GenerationSettings` it may have
several. None takes a setting back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypedDict

from foretell.config.choices import LayerGroup, LogprobStage, Never, Scope
from foretell.config.schemas import JsonSchema
from foretell.config.validators import RepetitionDetection, Watermark


class SampleSettings(TypedDict, total=False):
    """Settings of one text: all but `num_return_sequences`."""

'''
BETWEEN = '''

class GenerationSettings(SampleSettings, total=False):
    """What `**settings` may be: the fields of `GenerationConfig`."""

'''
COUNT = "num_return_sequences"


WIDER: dict[Any, str] = {
    TOKEN_IDS: "int | Collection[int]",
    TEXTS: "str | Collection[str]",
    CHOICES: "str | Collection[str]",
    REGEXES: "str | Collection[str]",
    FUNCTIONS: "Callable[..., Any] | Collection[Callable[..., Any]]",
    STAGE_NAMES: "LogprobStage | tuple[LogprobStage, ...] | list[LogprobStage]",
    EARLY_STOPPING: "bool | Never",
    TOKEN_BIASES: "Mapping[int, float] | Mapping[str, float] | Mapping[int | str, float]",
    SEQUENCE_BIASES: "Mapping[tuple[int, ...], float] | Collection[Collection[Any]]",
    DECAY: "tuple[int, float]",
    WORDS: "str | Collection[str | Collection[Any]]",
    LAYERS: "LayerGroup | Collection[int]",
}
"""What may be given, where it is more than what a config comes to hold."""


def source() -> str:
    """The file as it must be."""
    types = {field.name: field.type for field in dataclasses.fields(GenerationConfig) if field.init}
    fields = {name: _field(name, str(types[name])) for name in SETTINGS}
    count = fields.pop(COUNT)
    return _formatted(HEAD + "".join(fields.values()) + BETWEEN + count)


def _field(name: str, annotation: str) -> str:
    values = SETTINGS[name].values
    given = annotation.removesuffix(" | None")
    if isinstance(values, Values):
        given = WIDER.get(values, given)
    return f"    {name}: {given} | None\n    {_docstring(SETTINGS[name].meaning)}\n"


def _docstring(text: str) -> str:
    """A text in triple quotes, in lines of a fit length."""
    before, after = " " * text.startswith('"'), " " * text.endswith('"')
    return "\n    ".join(textwrap.wrap(f'"""{before}{text}{after}"""', 90))


def _formatted(text: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(PATH), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    PATH.write_text(source(), encoding="utf-8")
