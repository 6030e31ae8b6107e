"""`/v1/foretell/explain`: a text, and of each of its tokens why it was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from foretell.analysis.explain import Explanation, told_step
from foretell.config.defaults import EXPLAIN_TOKENS, NUM_LOGPROBS
from foretell.config.settings import MULTIPLYING_SETTINGS, SEARCHING
from foretell.outputs import Chunk, GenerationOutput
from foretell.server.asking import Asked, asked, settings_in_force, sorted_fields
from foretell.server.errors import ApiError, invalid
from foretell.server.frames import DONE, dumps, frame
from foretell.server.limits import EXPLAINED_TOKENS, TOP
from foretell.server.state import ServerState
from foretell.server.values import flag, number
from foretell.server.views.prompt import PromptSource, limit_length

NOT_FOR_EXPLAIN = tuple(dict.fromkeys(("max_length", *MULTIPLYING_SETTINGS, *SEARCHING)))
"""Settings that are refused: one text is explained, of a length of its own, and no search."""


def ask_explanation(body: Mapping[str, Any], state: ServerState) -> tuple[Asked, ExplanationWriter]:
    """What a body asks for, and who writes the answer; ApiError if it is refused."""
    fields = sorted_fields(body, "explain", state)
    num_top = number(fields.own, "logprobs", TOP)
    repeats = flag(fields.own, "repeat_tokens", default=True)
    settings = settings_in_force(fields, state, fallback={})
    limit_length(fields, settings, EXPLAINED_TOKENS, EXPLAIN_TOKENS)
    settings["trace"] = True
    settings["logprobs"] = NUM_LOGPROBS if num_top is None else num_top
    request = asked(fields, PromptSource(fields, state), 1, state, settings)
    if request.num_choices > 1:
        name = fields.spelled.get("num_return_sequences", "num_return_sequences")
        raise invalid(f"{name} must be 1: one text is explained", name)
    return replace(request, default_length=EXPLAIN_TOKENS), ExplanationWriter(repeats)


class ExplanationWriter:
    """Writes an explanation down: whole, or first token by token and then whole.

    What a stream has told of its tokens is kept as JSON, for the whole at its end; with `repeats`
    false that comes without tokens, which a reader who has kept them need not read twice.
    """

    def __init__(self, repeats: bool = True) -> None:
        self._repeats = repeats
        self._told: dict[str, list[bytes]] = {"logprobs": [], "steps": []}

    def whole(self, outputs: Sequence[GenerationOutput]) -> dict[str, Any]:
        """The explanation, and all else that is known of its text."""
        (output,) = outputs
        logprobs = [token.to_dict() for token in output.logprobs or ()]
        steps = Explanation(output).to_dict()["steps"]
        return {**_without_tokens(output), "logprobs": logprobs, "steps": steps}

    def start(self, prompts: Sequence[Sequence[int]]) -> bytes:
        """Nothing: the prompt comes with the whole."""
        return b""

    def chunk(self, chunk: Chunk) -> bytes:
        """The tokens of a chunk with their steps; after the last one, the whole."""
        events = b""
        if chunk.text or chunk.token_ids:
            events = self._tokens(chunk)
        if chunk.output is not None:
            events += _event(_without_tokens(chunk.output), self._told if self._repeats else {})
        return events

    def end(self) -> bytes:
        """The event that a stream ends with."""
        return DONE

    def failure(self, error: ApiError) -> bytes:
        """The event that tells of an error in the middle of a stream, which ends there."""
        return frame(error.as_dict())

    def _tokens(self, chunk: Chunk) -> bytes:
        told = {
            "logprobs": [dumps(token.to_dict()) for token in chunk.logprobs or ()],
            "steps": [dumps(told_step(step)) for step in chunk.trace or ()],
        }
        if self._repeats:
            for name, parts in told.items():
                self._told[name] += parts
        data = {
            "object": "foretell.explain.chunk",
            "text": chunk.text,
            "token_ids": chunk.token_ids,
            "start_byte": chunk.start_byte,
            "logprobs_by_stage": _by_stage(chunk),
        }
        return _event(data, told)


def _without_tokens(output: GenerationOutput) -> dict[str, Any]:
    """What is told of a text beside its tokens' log-probabilities and steps."""
    shown = replace(output, trace=None, logprobs=None).to_dict()
    del shown["trace"], shown["logprobs"]
    warnings = list(output.config.warnings)
    return {"object": "foretell.explain", **shown, "warnings": warnings}


def _by_stage(chunk: Chunk) -> dict[str, Any] | None:
    """The log-probabilities of each stage, where several were asked for."""
    found = chunk.logprobs_by_stage
    if found is None:
        return None
    return {stage: [token.to_dict() for token in tokens] for stage, tokens in found.items()}


def _event(data: dict[str, Any], lists: Mapping[str, Sequence[bytes]]) -> bytes:
    """An event of this data, and of lists whose entries are JSON already."""
    told = [b',"%b":[%b]' % (name.encode(), b",".join(lists[name])) for name in lists]
    return b"data: " + dumps(data)[:-1] + b"".join(told) + b"}\n\n"
