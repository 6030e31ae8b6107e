"""`foretell chat`: talk with a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from foretell.cli.chat.lines import EntryReader
from foretell.cli.chat.loop import HINT, run_session
from foretell.cli.chat.session import Session, note
from foretell.cli.options import (
    CHAT_OPTIONS,
    MODEL_OPTIONS,
    ModelChoice,
    SettingsCommand,
    given,
    load,
    warn,
    with_options,
)
from foretell.config import GenerationConfig
from foretell.config.settings import CHOOSING_SETTINGS


@click.command(cls=SettingsCommand)
@with_options(*MODEL_OPTIONS)
@click.option("--system", metavar="TEXT", help="What the model is told beforehand.")
@click.option(
    "--load",
    "history",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Go on with a conversation that /save wrote.",
)
@with_options(*CHAT_OPTIONS)
@click.option("-q", "--quiet", is_flag=True, help="Nothing on stderr but errors.")
def command(
    model: ModelChoice,
    system: str | None,
    history: Path | None,
    quiet: bool,
    **settings: Any,
) -> None:
    """Talk with a model that has a chat template.

    Each line is a message; /help lists what else can be done. Answers go to stdout, all else to
    stderr. With stdin from a pipe or file, its lines are answered in turn, and the first mistake
    ends it. Answers are sampled with preset chat, unless settings say how tokens are chosen.

    \b
    Examples:
      foretell chat
      foretell chat --system "Answer in one sentence." --temperature 0.7 --top-p 0.9
      foretell chat --greedy --load talk.json
      echo "Why is the sky blue?" | foretell chat --quiet
      foretell chat --model path/to/model.gguf --max-new-tokens 100 < questions.txt
    """
    from foretell.conversation import Conversation, read_messages
    from foretell.text.chat.prompt import template_of

    config = chat_settings(given(settings))
    messages = [] if history is None else read_messages(history)
    warn(config)
    with load(model) as llm:
        template_of(llm.tokenizer)
        talk = Conversation(llm, config=config)
        talk.messages = messages
        if system is not None:
            talk.system = system
        session = Session(talk, EntryReader(), is_quiet=quiet)
        if session.reader.is_terminal and not quiet:
            note(f"{llm.info.description}\n{HINT}")
        run_session(session)


def chat_settings(stated: dict[str, Any]) -> GenerationConfig:
    """The settings of the answers: preset chat, unless those stated say how tokens are chosen."""
    config = GenerationConfig().override(**stated)
    return config if CHOOSING_SETTINGS & stated.keys() else config.override(preset="chat")
