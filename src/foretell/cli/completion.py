"""What a shell may complete a word to, besides commands and options."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

COMPLETION_VARIABLE = "_FORETELL_COMPLETE"
"""The shell sets it when it asks."""


def complete_model(
    context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of models, known or cached; or else files, which are models too."""
    found = complete_name(context, param, incomplete)
    return found or [CompletionItem(incomplete, type="file")]


def complete_name(
    context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of models, known or cached."""
    from foretell import hub

    known = [model.name for model in hub.known_models()]
    cached = [model.name for model in hub.cached_models()]
    return _starting([*known, *cached], incomplete)


def complete_topic(
    context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Settings, presets and dialects."""
    from foretell.guide.topics import topic_names

    return _starting(topic_names(), incomplete.replace("-", "_"))


def _starting(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted({*names}) if name.startswith(incomplete)]
