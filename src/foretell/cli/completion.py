"""What a shell may complete a word to, besides commands and options."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class

COMPLETION_VARIABLE = "_FORETELL_COMPLETE"
"""The shell sets it when it asks."""


class BashCompletion(BashComplete):
    """As click's, but `--option=value` is known where bash parts it into three words."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one to complete, without signs that stand after an option."""
        words, incomplete = super().get_completion_args()
        before = ["", *words]
        pairs = zip(before, words, strict=False)
        return [word for last, word in pairs if word != "=" or last[:2] != "--"], incomplete


add_completion_class(BashCompletion)


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
