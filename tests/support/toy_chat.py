"""A toy model that chats, for tests: it counts the messages and says the last one again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.backends.scripted import CERTAIN, ScriptedBackend
from foretell.llm import LLM
from foretell.text.tokenizer import Tokenizer
from support.toy import EOS, VOCAB_SIZE, toy_metadata

TEMPLATE = (
    "{% for m in messages %}<|start|>{{ m.role }}\n{{ m.content }}<|end|>{% endfor %}"
    "{% if messages[-1].content == 'refuse' %}{{ raise_exception('no thanks') }}{% endif %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
CONTROL = 3  # the type of a control token
HEADER = "<|start|>assistant\n"


def chatting_tokenizer(marks: Sequence[str] = ()) -> Tokenizer:
    """The toy's tokenizer, with these control tokens behind its own tokens."""
    metadata = {**toy_metadata(), "tokenizer.chat_template": TEMPLATE}
    for name, value in (("tokens", marks), ("token_type", [CONTROL] * len(marks))):
        metadata[f"tokenizer.ggml.{name}"] = [*metadata[f"tokenizer.ggml.{name}"], *value]
    return Tokenizer.from_gguf(metadata, source="toy")


def chatting_llm(on_token: Callable[[str], None] | None = None, **sizes: int) -> LLM:
    """An LLM that answers "2: hi" to a second message "hi"."""
    return LLM(chatting_backend(on_token, **sizes), tokenizer=chatting_tokenizer())


def chatting_backend(
    on_token: Callable[[str], None] | None = None, **sizes: int
) -> ScriptedBackend:
    """What answers "2: hi" to a second message "hi".

    Before each token, `on_token` hears what has been answered so far.
    """
    tokenizer = chatting_tokenizer()
    header = tokenizer.encode(HEADER, add_special_tokens=False, parse_special=True)

    def script(history: tuple[int, ...]) -> NDArray[np.float32]:
        start = _end_of_last(header, history)
        talk = tokenizer.decode(history[: start - len(header)], skip_special_tokens=False)
        if on_token is not None:
            on_token(tokenizer.decode(history[start:]))
        message = talk.rpartition("<|start|>")[2].removeprefix("user\n").removesuffix("<|end|>")
        answer = f"{talk.count('<|start|>user')}: {message}"
        ids = [*tokenizer.encode(answer, add_special_tokens=False), EOS]
        row = np.zeros(VOCAB_SIZE, dtype=np.float32)
        row[ids[len(history) - start]] = CERTAIN
        return row

    settings: dict[str, Any] = {"context_length": 1024, "num_blocks": 300, **sizes}
    return ScriptedBackend(script, vocab_size=VOCAB_SIZE, **settings)


def saying(
    answer: str, begins: str = "", marks: Sequence[str] = (), **sizes: int
) -> ScriptedBackend:
    """What answers this to whatever is said, where the prompt ends with a turn that begins so.

    Its vocabulary is that of `chatting_tokenizer(marks)`.
    """
    tokenizer = chatting_tokenizer(marks)
    vocab_size = tokenizer.vocab_size
    header = tokenizer.encode(HEADER + begins, add_special_tokens=False, parse_special=True)
    ids = [*tokenizer.encode(answer, add_special_tokens=False, parse_special=True), EOS]

    def script(history: tuple[int, ...]) -> NDArray[np.float32]:
        row = np.zeros(vocab_size, dtype=np.float32)
        index = len(history) - _end_of_last(header, history)
        row[ids[index] if index < len(ids) else EOS] = CERTAIN
        return row

    settings: dict[str, Any] = {"context_length": 4096, "num_blocks": 600, **sizes}
    return ScriptedBackend(script, vocab_size=vocab_size, **settings)


def _end_of_last(part: list[int], ids: tuple[int, ...]) -> int:
    """Where the last occurrence of `part` ends."""
    ends = range(len(ids), len(part) - 1, -1)
    return next(end for end in ends if list(ids[end - len(part) : end]) == part)
