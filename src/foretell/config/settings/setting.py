"""What the table holds of each setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from foretell.config.ranges import Range
from foretell.config.values import Values


class Kind(Enum):
    """What a setting is; it decides what samples, what is a stage, what mirostat excludes."""

    STRATEGY = "how tokens are chosen, by what rules"
    SAMPLER = "a stage that shapes a draw, and cuts nothing"
    MODIFIER = "makes decoding sample, inside of another sampler's stage"
    TRUNCATION = "a stage that shapes a draw by ruling tokens out"
    ADAPTIVE = "a stage that shapes a draw, chooses the cut itself and learns from what was drawn"
    PENALTY = "a stage that looks back on what was written"
    BIAS = "a stage that adds to logits"
    MASK = "a stage that rules tokens out, whoever chooses"
    FORM = "a stage that holds the text to a language"
    LENGTH = "a stage that acts on the end of sequence, by the length so far"
    LAST = "a stage that acts at the length limit alone"
    REPAIR = "a stage that mends or normalizes the row"
    CUSTOM = "stages of the user's own"
    DETAIL = "has an effect only beside another setting"
    GUIDANCE = "takes a second sequence"
    END = "which ids are an end of sequence"
    RUN = "the run: its seed, its samples, where it stops"
    REPORT = "what is reported of the run"

    @property
    def is_sampling(self) -> bool:
        """Whether a setting of this kind makes decoding sample."""
        return self in _SAMPLING

    @property
    def is_stage(self) -> bool:
        """Whether a setting of this kind turns on a stage of the chain."""
        return self in _STAGES

    @property
    def cuts(self) -> bool:
        """Whether a setting of this kind decides where the distribution is cut."""
        return self in (Kind.TRUNCATION, Kind.ADAPTIVE)


_SAMPLING = (Kind.SAMPLER, Kind.MODIFIER, Kind.TRUNCATION, Kind.ADAPTIVE)
_STAGES = (
    *(Kind.SAMPLER, Kind.TRUNCATION, Kind.ADAPTIVE, Kind.PENALTY, Kind.BIAS, Kind.MASK),
    *(Kind.FORM, Kind.LENGTH, Kind.LAST, Kind.REPAIR, Kind.CUSTOM),
)


@dataclass(frozen=True)
class Setting:
    """One row: all there is to know of a setting, but for what it does to a row of logits.

    Attributes:
        values: which are legal, useful and neutral.
        kind: what it is.
        what: what it does, in a few words; of a number, `values.meaning` says it.
        low, high: what low and high values lead to.
        formula: x are logits, p probabilities, H the entropy in nats.
        source: where it comes from.
        neutral: where it does nothing, if `values.neutral` is not that.
        if_not_set: what holds where a setting that needs it is on.
        needs: settings of which at least one must be set, or this one has no effect.
        at_most: the setting whose value it must not exceed.
        not_with: settings that it does not go with, where both are on, and why not.
        ends_text: whether it is a rule on the text, at which the text ends.
        multiplies_sequences: whether one prompt has several sequences by it.
        makes_samples_differ: whether samples of a prompt differ by it without sampling.
        on_when: at which values it counts as set, in words, if not at any.
        with_others: what else there is to say on how it goes with others.
        after: of a stage that no dialect's system has: the stage that it follows in all of them.
        forms: of a user's function: foretell's own, then transformers'.
        called: when it is called, with what, and what it returns.
        code: a program that uses it.
        examples: values, or whole settings, for the guide's worked example.
        example_text: words written before, where the example looks back on them.
        aliases: what other systems call it.
        usual: its place among the usual settings, which `--help` lists first; 0: it is none.
        note: what `--help` adds.
        short: a one-letter spelling for the command line.
        flag: its option's name there, where that is another.
        needs_json: whether only `--json` can show what it asks for.
        group: its heading in the guide and in `--help`; the table fills it in.
    """

    values: Range | Values
    kind: Kind
    what: str = ""
    low: str = ""
    high: str = ""
    formula: str = ""
    source: str = ""
    neutral: float | None = None
    if_not_set: float | None = None
    needs: tuple[str, ...] = ()
    at_most: str = ""
    not_with: Mapping[str, str] = field(default_factory=dict)
    ends_text: bool = False
    multiplies_sequences: bool = False
    makes_samples_differ: bool = False
    on_when: str = ""
    with_others: str = ""
    after: str = ""
    forms: tuple[str, ...] = ()
    called: str = ""
    code: str = ""
    examples: tuple[Any, ...] = ()
    example_text: str = ""
    aliases: tuple[str, ...] = ()
    usual: int = 0
    note: str = ""
    short: str = ""
    flag: str = ""
    needs_json: bool = False
    group: str = ""

    @property
    def meaning(self) -> str:
        """What it does, in a few words."""
        return self.values.meaning if isinstance(self.values, Range) else self.what

    @property
    def neutral_value(self) -> float | None:
        """The number at which it does nothing, if there is one."""
        if self.neutral is None and isinstance(self.values, Range):
            return self.values.neutral
        return self.neutral

    def is_off_at(self, value: Any) -> bool:
        """Whether it turns nothing on at this value: at its neutral one, or at its range's."""
        neutral = {self.neutral_value}
        if isinstance(self.values, Range):  # a temperature of 0 is greedy: no stage either
            neutral.add(self.values.neutral)
        return value is None or value is False or any(value == one for one in neutral - {None})
