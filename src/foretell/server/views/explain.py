"""`/v1/foretell/explain`: a text, and of each of its tokens why it was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from foretell.analysis.explain import Explanation, told_step
from foretell.config.defaults import EXPLAIN_TOKENS, NUM_LOGPROBS
from foretell.outputs import Chunk, GenerationOutput
from foretell.server.asking import Asked, asked, sorted_fields
from foretell.server.errors import ApiError, invalid
from foretell.server.fields import number
from foretell.server.frames import DONE, frame
from foretell.server.state import ServerState
from foretell.server.views.prompt import PromptSource, limit_length

MAX_TOP = 20
MAX_TOKENS = 2048


def ask_explanation(body: Mapping[str, Any], state: ServerState) -> tuple[Asked, ExplanationWriter]:
    """What a body asks for, and who writes the answer; ApiError if it is refused."""
    fields = sorted_fields(body, "explain", state)
    num_top = number(fields.own, "logprobs", 0, MAX_TOP)
    settings: dict[str, Any] = {"trace": True}
    settings["logprobs"] = NUM_LOGPROBS if num_top is None else num_top
    limit_length(fields, fields.settings, MAX_TOKENS)
    if fields.settings.get("preset") == "model":  # which may have a length
        settings["max_new_tokens"] = fields.settings.get("max_new_tokens", EXPLAIN_TOKENS)
    request = asked(fields, PromptSource(fields, state), 1, state, settings, fallback={})
    if request.num_choices > 1:
        name = fields.spelled.get("num_return_sequences", "num_return_sequences")
        raise invalid(f"{name} must be 1: one text is explained", name)
    return replace(request, default_length=EXPLAIN_TOKENS), ExplanationWriter()


class ExplanationWriter:
    """Writes an explanation down: whole, or first token by token and then whole."""

    def whole(self, outputs: Sequence[GenerationOutput]) -> dict[str, Any]:
        """The explanation, and all else that is known of its text."""
        (output,) = outputs
        shown = replace(output, trace=None).to_dict()
        del shown["trace"]
        warnings = list(output.config.warnings)
        steps = Explanation(output).to_dict()["steps"]
        return {"object": "foretell.explain", **shown, "steps": steps, "warnings": warnings}

    def start(self, prompt_lengths: Sequence[int]) -> bytes:
        """Nothing: the prompt comes with the whole."""
        return b""

    def chunk(self, chunk: Chunk) -> bytes:
        """The tokens of a chunk with their steps; after the last one, the whole."""
        events = b""
        if chunk.text or chunk.token_ids:
            events = frame(_told_chunk(chunk))
        if chunk.output is not None:
            events += frame(self.whole([chunk.output]))
        return events

    def end(self) -> bytes:
        """The event that a stream ends with."""
        return DONE

    def failure(self, error: ApiError) -> bytes:
        """The event that tells of an error in the middle of a stream, which ends there."""
        return frame(error.as_dict())


def _told_chunk(chunk: Chunk) -> dict[str, Any]:
    shown = replace(chunk, output=None, trace=None).to_dict()
    names = ("text", "token_ids", "start_byte", "logprobs")
    steps = [told_step(step) for step in chunk.trace or ()]
    return {
        "object": "foretell.explain.chunk",
        **{name: shown[name] for name in names},
        "steps": steps,
    }
