"""Groups of commands that tell what to write in place of a command that is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import click

from foretell.utils.quoting import quote
from foretell.utils.suggestions import did_you_mean


class HelpfulGroup(click.Group):
    """A click group that knows what its commands are called elsewhere."""

    elsewhere: ClassVar[Mapping[str, str]] = {}
    """What other programs call a command, and a sentence on what does that here."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but say for an unknown name which one may be meant."""
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            raise click.UsageError(
                f"no command is called {quote(name)}: {self._hint(ctx, name)}", ctx
            )
        return super().resolve_command(ctx, args)

    def _hint(self, ctx: click.Context, name: str) -> str:
        if name in self.elsewhere:
            return self.elsewhere[name]
        names = self.list_commands(ctx)
        return did_you_mean(name, names, f"there are {', '.join(names)}")
