"""How a setting relates to others, and where the dialects differ: drawn from their own tables."""

from __future__ import annotations

from foretell.config.contradictions import (
    BEAM_SETTINGS,
    NEEDS,
    NOT_WITH_BEAMS,
    SAMPLING_SETTINGS,
    TRUNCATIONS,
)
from foretell.config.dialects import CUTOFFS, DIALECTS, SAMPLERS, Dialect, Scope

PAIRS = {
    "min_new_tokens": "must not be above max_new_tokens",
    "max_new_tokens": "must not be below min_new_tokens",
    "min_length": "must not be above max_length",
    "max_length": "must not be below min_length",
    "processors": "must name every setting that is on; contradicts logits_processor",
    "logits_processor": "contradicts processors: put all in one",
    "logprobs_stage": "has no effect without logprobs",
    "forced_eos_token_id": "has no effect without max_new_tokens or max_length",
    "mirostat": "contradicts what cuts: " + ", ".join((*TRUNCATIONS, "adaptive_target")),
    "num_return_sequences": "above 1 contradicts greedy decoding, which writes one text; "
    "must not be above num_beams where that is above 1",
    "num_beams": "above 1 contradicts " + ", ".join(NOT_WITH_BEAMS),
    **dict.fromkeys(BEAM_SETTINGS, "has no effect without num_beams above 1"),
    "do_sample": "False contradicts what samples: " + ", ".join(SAMPLING_SETTINGS),
    "temperature": "0 (greedy) contradicts do_sample=True, and passes over all samplers",
}


def contradictions(name: str) -> tuple[str, ...]:
    """What a setting does not go with, and what it has no effect without, a clause each."""
    found = []
    if name in SAMPLING_SETTINGS:
        found.append("contradicts do_sample=False (greedy)")
    if name in (*TRUNCATIONS, "adaptive_target"):
        found.append("contradicts mirostat, which chooses the cut itself")
    if name in NEEDS:
        found.append(f"has no effect without {' or '.join(NEEDS[name])}")
    if name in PAIRS:
        found.append(PAIRS[name])
    return tuple(found)


def dialect_notes(name: str) -> dict[str, str]:
    """By dialect, what it makes of the setting; empty if they agree."""
    notes = {dialect.name: "; ".join(_notes(name, dialect)) for dialect in DIALECTS.values()}
    return notes if len(set(notes.values())) > 1 else {}


def _notes(name: str, dialect: Dialect) -> list[str]:
    found = []
    if name in dialect.defaults:
        found.append(f"{dialect.defaults[name]:g} if not set and not greedy")
    if name in (*SAMPLERS, *CUTOFFS) and name != "temperature":
        order = dialect.order
        place = "before" if order.index(name) < order.index("temperature") else "after"
        found.append(f"{place} temperature")
    if name == "temperature" and dialect.least_temperature:
        found.append(f"at least {dialect.least_temperature:g}, unless 0")
    if name == "top_k":
        ties = {"keep": "keeps all that equal the k-th", "cut": "cuts at k"}
        found.append(ties[dialect.ties])
    if name == "repetition_penalty":
        found.append(f"looks back on {show_scope(dialect.repetition_scope)}")
    if name in ("frequency_penalty", "presence_penalty"):
        found.append(f"looks back on {show_scope(dialect.count_scope)}")
    return found or ["as it is"]


def show_scope(scope: Scope) -> str:
    """A scope in words."""
    if isinstance(scope, int):
        return f"the last {scope} tokens"
    return {"all": "prompt and output", "prompt": "the prompt", "output": "the output"}[scope]
