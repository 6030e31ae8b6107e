"""How a setting relates to others, and where the dialects differ: drawn from the tables."""

from __future__ import annotations

from collections.abc import Iterator

from foretell.config.choices import Scope
from foretell.config.conflicts import INCOMPATIBLE, PAIRS, RIVALS_OF_MIROSTAT, needs_of
from foretell.config.dialects import DIALECTS, Dialect
from foretell.config.settings import SAMPLING_SETTINGS, SETTINGS, Kind


def contradictions(name: str) -> tuple[str, ...]:
    """What a setting does not go with, and what it has no effect without, a clause each."""
    return tuple(clause for clause in _clauses(name) if clause)


def _clauses(name: str) -> Iterator[str]:
    row = SETTINGS[name]
    if row.kind.is_sampling:
        yield "contradicts do_sample=False (greedy)"
    if name in RIVALS_OF_MIROSTAT:
        yield "contradicts mirostat, which chooses the cut itself"
    if row.needs:
        yield f"has no effect without {needs_of(name)}"
    if row.at_most:
        yield f"must not be above {row.at_most}"
    yield from (f"must not be below {low}" for low, high in PAIRS.items() if high == name)
    yield _ALL_OF_THEM.get(name, "")
    yield _incompatible_with(name)
    yield row.with_others


def _incompatible_with(name: str) -> str:
    """The settings whose rows say that they do not go with this one."""
    others = ", ".join(one for one, other in INCOMPATIBLE if other == name)
    return f"{SETTINGS[name].on_when} contradicts {others}".lstrip() if others else ""


_ALL_OF_THEM = {
    "do_sample": "False contradicts what samples: " + ", ".join(SAMPLING_SETTINGS),
    "mirostat": "contradicts what cuts: " + ", ".join(RIVALS_OF_MIROSTAT),
}
"""What contradicts many: they are those that the table says."""


def dialect_notes(name: str) -> dict[str, str]:
    """By dialect, what it makes of the setting; empty if they agree."""
    notes = {dialect.name: "; ".join(_notes(name, dialect)) for dialect in DIALECTS.values()}
    return notes if len(set(notes.values())) > 1 else {}


def _notes(name: str, dialect: Dialect) -> list[str]:
    found = []
    if name in dialect.defaults:
        found.append(f"{dialect.defaults[name]:g} if not set and not greedy")
    if SETTINGS[name].kind is Kind.TRUNCATION:
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
