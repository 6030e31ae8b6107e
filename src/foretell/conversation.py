"""Conversations: a history that grows, turn by turn.

conversation = Conversation(llm, system="Answer in one sentence.")
for chunk in conversation.say("Why is the sky blue?", temperature=0.7):
    print(chunk.text, end="")
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from foretell.config.defaults import CHAT_TOKENS
from foretell.config.typed import GenerationSettings
from foretell.errors import ConfigError, RequestError
from foretell.text.chat.ids import ChatPrompt
from foretell.text.chat.messages import check_messages
from foretell.text.chat.prompt import chat_prompt
from foretell.utils.display import count
from foretell.utils.files import write_atomically
from foretell.utils.quoting import quote
from foretell.utils.terminal import printable

if TYPE_CHECKING:
    from foretell.config import GenerationConfig
    from foretell.llm import LLM
    from foretell.outputs import Chunk
    from foretell.text.tokenizer import Tokenizer

MAX_FILE_BYTES = 2**26


@dataclass(frozen=True)
class Turn:
    """One question and answer, in ids.

    Attributes:
        rendered: the prompt as template and tokenizer spell it.
        prompt: the prompt as the model had it.
        answer: what the model wrote of what was shown.
    """

    rendered: list[int]
    prompt: list[int]
    answer: list[int]


def go_on(rendered: list[int], turn: Turn, tokenizer: Tokenizer) -> list[int]:
    """A later prompt, with what the model had and wrote in that turn spelled as it was then.

    A text can be spelled in ids in several ways, and a model that samples does not always choose
    the tokenizer's. Spelled alike, the history is in the KV cache already. A prompt that does not
    go on with that turn is given back as it is.
    """
    start = len(turn.rendered)
    if rendered[:start] != turn.rendered:
        return rendered
    answer = list(turn.answer)
    while answer and tokenizer.is_special(answer[-1]):
        answer.pop()  # the template has its own end of turn
    written = b"".join(map(tokenizer.token_bytes, answer))
    stop, spelled = start, b""
    while len(spelled) < len(written) and stop < len(rendered):
        spelled += tokenizer.token_bytes(rendered[stop])
        stop += 1
    has_special = any(map(tokenizer.is_special, [*answer, *rendered[start:stop]]))
    if spelled != written or has_special:
        return [*turn.prompt, *rendered[start:]]
    return [*turn.prompt, *answer, *rendered[stop:]]


class Conversation:
    """A chat with a model: what has been said, and what is said next.

    Each turn's prompt begins with the last one and its answer, in the ids that the model wrote, so
    that the LLM's prefix cache has them; a history that was loaded or changed is spelled anew.

    Args:
        llm: who answers; its model must come with a chat template.
        system: instructions that the conversation begins with.
        config: settings of every answer.
        max_answer_tokens: most tokens of an answer whose settings state no length; fewer where the
            context has no more room. None for no limit but the context.

    Attributes:
        messages: `[{"role": "system" | "user" | "assistant", "content": ...}, ...]`.
        config: settings of every answer.
    """

    def __init__(
        self,
        llm: LLM,
        system: str | None = None,
        config: GenerationConfig | None = None,
        *,
        max_answer_tokens: int | None = CHAT_TOKENS,
    ) -> None:
        self._llm = llm
        self._max_answer_tokens = max_answer_tokens
        self._latest: Turn | None = None
        self.config = config
        self.messages: list[dict[str, str]] = []
        self.system = system

    def __repr__(self) -> str:
        return f"Conversation({self._llm!r}, {count(len(self.messages), 'message')})"

    @property
    def system(self) -> str | None:
        """The instructions that the conversation begins with; None if there are none."""
        if self.messages and self.messages[0]["role"] == "system":
            return self.messages[0]["content"]
        return None

    @system.setter
    def system(self, text: str | None) -> None:
        rest = self.messages if self.system is None else self.messages[1:]
        first = [] if text is None else check_messages([{"role": "system", "content": text}])
        self.messages = [*first, *rest]

    def say(
        self, text: str, **settings: Unpack[GenerationSettings]
    ) -> Generator[Chunk, None, None]:
        """Say something, and stream the answer.

        When the answer is complete, both become part of `messages`. If the loop is left early, what
        was shown until then counts as the answer; if nothing was shown, nothing was said.

        Raises:
            ConfigError: a setting is unknown, out of range or contradicts another.
            RequestError: the conversation does not fit the context or the template.
        """
        asked = [*self.messages, {"role": "user", "content": text}]
        _refuse_samples(self.config, settings)
        rendered = prompt = chat_prompt(
            self._llm.tokenizer, asked, context_length=self._llm.info.context_length
        )
        if self._latest is not None:
            prompt = ChatPrompt(go_on(rendered, self._latest, self._llm.tokenizer))
        length = self._max_answer_tokens
        chunks = self._llm._stream(prompt, self.config, settings, default_length=length)
        return self._answer(asked, Turn(rendered, prompt, []), chunks)

    def _answer(
        self, asked: list[dict[str, str]], turn: Turn, chunks: Generator[Chunk, None, None]
    ) -> Generator[Chunk, None, None]:
        shown: list[str] = []
        is_complete = False
        try:
            with closing(chunks):
                for chunk in chunks:
                    shown.append(chunk.text)
                    turn.answer.extend(chunk.token_ids)
                    is_complete = chunk.output is not None
                    yield chunk
        finally:
            if is_complete or any(shown):
                self.messages = [*asked, {"role": "assistant", "content": "".join(shown)}]
                self._latest = turn

    def undo(self) -> str:
        """Take back the last thing that the user said, and the answer; return what it was.

        RequestError if nothing was said yet.
        """
        for index in reversed(range(len(self.messages))):
            if self.messages[index]["role"] == "user":
                taken = self.messages[index]["content"]
                self.messages = self.messages[:index]
                return taken
        raise RequestError("nothing was said yet that could be taken back")

    def clear(self) -> None:
        """Forget all that was said; the system message stays."""
        self.messages = self.messages[:1] if self.system is not None else []

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the messages to a JSON file, whole or not at all; RequestError if that fails."""
        text = json.dumps({"messages": self.messages}, ensure_ascii=False, indent=2) + "\n"
        try:
            write_atomically(Path(path), text.encode())
        except OSError as error:
            raise _file_error(path, f"cannot be written: {error.strerror or error}") from error

    def load(self, path: str | os.PathLike[str]) -> None:
        """Replace the messages by those of a file that `save` wrote; RequestError if it is none."""
        self.messages = read_messages(path)


def _refuse_samples(config: GenerationConfig | None, settings: Mapping[str, Any]) -> None:
    stated = 1 if config is None else config.num_return_sequences
    number = settings.get("num_return_sequences", stated)
    if number not in (None, 1):
        raise ConfigError(f"num_return_sequences={quote(number)} must be 1: one answer goes on")


def read_messages(path: str | os.PathLike[str]) -> list[dict[str, str]]:
    """The messages in a JSON file, `{"messages": [...]}` or the list alone.

    RequestError if the file cannot be read or holds something else.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _file_error(path, f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a name with NUL
        raise _file_error(path, f"cannot be read: {error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise _file_error(path, f"is too large: must have at most {MAX_FILE_BYTES} bytes")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _file_error(path, f"is not JSON: {error}") from error
    messages: Any = found.get("messages") if isinstance(found, dict) else found
    if messages == []:
        return []
    try:
        return check_messages(messages)
    except RequestError as error:
        raise _file_error(path, f"is no conversation: {error}") from error


def _file_error(path: str | os.PathLike[str], problem: str) -> RequestError:
    return RequestError(f"{printable(os.fspath(path))}: {problem}")
