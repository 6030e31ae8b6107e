"""Values of a server's options that click alone would let pass."""

from __future__ import annotations

import math
from typing import Any

import click


class Seconds(click.FloatRange):
    """A time up to a day."""

    def __init__(self) -> None:
        super().__init__(min=0, max=86400)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The value as a number; BadParameter if it is none."""
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is not in the range {self._describe_range()}.", param, ctx)
        return seconds


def check_words(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """One text or several, none of them empty or with characters that cannot be seen."""
    for text in (value,) if isinstance(value, str) else value:
        if not text.strip() or not text.isprintable():
            raise click.BadParameter(f"{text!r} must be a name of visible characters", ctx, param)
    return value
