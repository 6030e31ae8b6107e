"""`/v1/completions`: from its body to a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from foretell.inputs.infill import with_ends
from foretell.inputs.prompts import Prompts, is_batch
from foretell.server.asking import Asked, asked, check_one_stage, settings_in_force, sorted_fields
from foretell.server.completion_writer import CompletionWriter
from foretell.server.errors import invalid, wrong
from foretell.server.limits import MAX_CHOICES, MAX_PROMPTS, TOP
from foretell.server.prompts import plain_ids
from foretell.server.state import ServerState
from foretell.server.values import flag, number
from foretell.text.infill import NO_MARKS, infill_ids
from foretell.text.tokenizer import Tokenizer

DEFAULT_TOKENS = 16
"""OpenAI's length of a completion where none is stated."""


def ask_completion(body: Mapping[str, Any], state: ServerState) -> tuple[Asked, CompletionWriter]:
    """What a body asks for, and who writes the answer; ApiError if it is refused."""
    fields = sorted_fields(body, "completions", state)
    own, settings = fields.own, settings_in_force(fields, state)
    own.setdefault("parse_special", True)  # whoever writes prompts by hand renders templates too
    echoes = flag(own, "echo")
    num_top = number(own, "logprobs", TOP)
    if num_top is not None:
        settings["logprobs"] = num_top
        if echoes:
            settings.setdefault("prompt_logprobs", num_top)
    if not {"max_new_tokens", "max_length"} & settings.keys():
        settings["max_new_tokens"] = DEFAULT_TOKENS
    drops = settings.get("max_new_tokens") == 0
    if drops:  # prompts are looked at alone; the engine does so with a token to come
        settings["max_new_tokens"] = 1
    reader = PromptReader(own, state.llm.tokenizer, echoes=echoes)
    if reader.suffix:
        stated = settings.get("stop_token_ids")
        settings["stop_token_ids"] = with_ends(state.llm.tokenizer, stated)
    request = asked(fields, reader, reader.num_prompts, state, settings)
    if request.num_choices > MAX_CHOICES:
        raise invalid(
            f"{reader.num_prompts} prompts, n={request.config.num_return_sequences}: "
            f"must make at most {MAX_CHOICES} texts",
            "n",
        )
    check_one_stage(request)
    echoed = reader.texts if echoes else None
    return request, CompletionWriter(request, state, echoed, drops=drops)


class PromptReader:
    """Gives a completion's prompts when it is called.

    Attributes:
        num_prompts: how many there are.
        texts: what is echoed of each; empty before the call, and where nothing is echoed.
        suffix: what comes after the gap behind each; empty where there is none.

    Raises:
        ApiError: they are no prompts.
    """

    def __init__(self, own: Mapping[str, Any], tokenizer: Tokenizer, *, echoes: bool) -> None:
        prompt = own.get("prompt")
        if not isinstance(prompt, (str, list)):
            raise wrong("prompt", prompt, "a text, token ids, or a list of such")
        several = is_batch(prompt)
        self.num_prompts = len(prompt) if several else 1
        if not 0 < self.num_prompts <= MAX_PROMPTS:
            raise invalid(f"prompt must have 1 to {MAX_PROMPTS} prompts", "prompt")
        self._prompt, self._prompts = prompt, prompt if several else [prompt]
        self._own, self._tokenizer = own, tokenizer
        self._is_plain = not flag(own, "add_special_tokens", default=True)
        self._echoes = echoes
        self.texts: list[str] = []
        self.suffix = self._read_suffix(own.get("suffix"))

    def _read_suffix(self, suffix: object) -> str:
        """What comes after the gap; ApiError if it is none, or cannot be heeded."""
        if suffix is None or suffix == "":
            return ""
        if not isinstance(suffix, str):
            raise wrong("suffix", suffix, "a text")
        if not all(isinstance(one, str) for one in self._prompts):
            raise invalid(
                "suffix goes with texts: prompt must be a text, or a list of texts", "suffix"
            )
        if self._tokenizer.infill_marks is None:
            raise invalid(f"suffix cannot be heeded: {NO_MARKS}", "suffix", "unsupported_parameter")
        return suffix

    def __call__(self) -> Prompts:
        """The prompts; here those that are to be echoed become texts."""
        if self._echoes:
            self.texts.extend(map(self._text, self._prompts))
        found: Prompts = self._prompt
        if self.suffix:
            ids = [infill_ids(self._tokenizer, str(one), self.suffix) for one in self._prompts]
            found = ids if is_batch(self._prompt) else ids[0]
        elif self._is_plain:
            read = [plain_ids(one, self._own, self._tokenizer) for one in self._prompts]
            found = read if is_batch(self._prompt) else read[0]
        return found

    def _text(self, prompt: str | Sequence[int]) -> str:
        """A prompt's text; ids that the vocabulary lacks are refused later."""
        if isinstance(prompt, str):
            return prompt
        size = self._tokenizer.vocab_size
        is_sound = all(type(one) is int and 0 <= one < size for one in prompt)
        return self._tokenizer.decode(prompt, skip_special_tokens=False) if is_sound else ""
