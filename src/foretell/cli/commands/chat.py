"""`foretell chat`: talk with a model."""

from __future__ import annotations

import signal
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from foretell.cli.chat.commands import run_command, tell
from foretell.cli.chat.lines import EntryReader
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
from foretell.cli.render import statistics_line
from foretell.config import GenerationConfig
from foretell.errors import ForetellError

if TYPE_CHECKING:
    from foretell.conversation import Conversation
    from foretell.outputs import GenerationOutput

MAX_ANSWER_TOKENS = 512
HINT = "/help lists commands. Ctrl-C stops an answer, Ctrl-D leaves."


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
    ends it.

    \b
    Examples:
      foretell chat
      foretell chat --system "Answer in one sentence." --temperature 0.7 --top-p 0.9
      foretell chat --preset chat --load talk.json
      echo "Why is the sky blue?" | foretell chat --quiet
      foretell chat --model path/to/model.gguf --max-new-tokens 100 < questions.txt

    An answer has at most 512 tokens unless --max-new-tokens says otherwise.
    """
    from foretell.conversation import Conversation, read_messages
    from foretell.text.chat.prompt import template_of

    config = GenerationConfig().override(**given(settings))
    messages = [] if history is None else read_messages(history)
    warn(config)
    with load(model) as llm:
        template_of(llm.tokenizer)
        talk = Conversation(llm, config=config, max_answer_tokens=MAX_ANSWER_TOKENS)
        talk.messages = messages
        if system is not None:
            talk.system = system
        session = Session(talk, EntryReader(), is_quiet=quiet)
        if session.reader.is_terminal and not quiet:
            tell(f"{llm.info.description}\n{HINT}")
        session.run()


class Session:
    """One chat, from the first message to the last.

    Attributes:
        conversation: what has been said.
        reader: where messages come from.
        is_over: whether the user has left.
    """

    def __init__(self, conversation: Conversation, reader: EntryReader, *, is_quiet: bool) -> None:
        self.conversation = conversation
        self.reader = reader
        self.is_over = False
        self._is_quiet = is_quiet

    @property
    def config(self) -> GenerationConfig:
        """The settings of the next answer."""
        return self.conversation.config or GenerationConfig()

    @config.setter
    def config(self, config: GenerationConfig) -> None:
        self.conversation.config = config

    def run(self) -> None:
        """Answer until there is no more; at a terminal, mistakes are told and forgotten."""
        while not self.is_over:
            try:
                self._take_turn()
            except ForetellError as error:
                if not self.reader.is_terminal:
                    raise
                click.echo(f"foretell: error: {' '.join(str(error).split())}", err=True)
            except KeyboardInterrupt:
                if not self.reader.is_terminal:
                    raise
                tell(f"\n{HINT}")

    def _take_turn(self) -> None:
        entry = self.reader.read()
        if entry is None:
            self.is_over = True
            if self.reader.is_terminal:
                click.echo(err=True)
        elif entry.is_command:
            run_command(self, entry.text)
        else:
            self.answer(entry.text)

    def answer(self, text: str) -> None:
        """Print the answer as it comes, if anything was asked; Ctrl-C at a terminal ends it."""
        if not text.strip():
            return
        with Interrupts(self.reader.is_terminal) as interrupts:
            output = self._print(text, interrupts)
        if interrupts.came:
            tell("(stopped)")
        elif output is not None and not self._is_quiet:
            tell(statistics_line([output]))

    def _print(self, text: str, interrupts: Interrupts) -> GenerationOutput | None:
        """Print the answer, then a newline if it has none; None if it was not finished."""
        output, last = None, ""
        with closing(self.conversation.say(text)) as chunks:
            try:
                for chunk in chunks:
                    click.echo(chunk.text, nl=False)
                    last, output = chunk.text or last, chunk.output
                    if interrupts.came:
                        break
            finally:
                if not last.endswith("\n"):
                    click.echo()
        return output


class Interrupts:
    """Within it, a first Ctrl-C is noted, and a second one ends the wait.

    So it never strikes in the middle of a step. If not `is_caught`, nothing is changed.

    Attributes:
        came: whether there was one.
    """

    def __init__(self, is_caught: bool) -> None:
        self.came = False
        self._is_caught = is_caught

    def __enter__(self) -> Interrupts:
        if self._is_caught:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not self._is_caught:
            return False
        signal.signal(signal.SIGINT, self._before)
        if kind is None or not issubclass(kind, KeyboardInterrupt):
            return False
        self.came = True
        return True

    def _note(self, number: int, frame: object) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True
