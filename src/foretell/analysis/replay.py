"""A text made again from its receipt, and the first thing that differs.

print(llm.replay("receipt.json"))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal, cast

from foretell.analysis.tasks import Analysis, GenerationTask
from foretell.config import GenerationConfig
from foretell.errors import RequestError
from foretell.loading.origin import ModelOrigin, token_facts
from foretell.outputs import GenerationOutput, JsonMixin, LogprobStage, TokenLogprob
from foretell.receipts.facts import ModelFacts
from foretell.receipts.receipt import Receipt
from foretell.utils.display import count, pad, show_token, width_of
from foretell.utils.quoting import one_line, quote
from foretell.version import __version__

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

NUM_ODDS = 10
"""Tokens of each distribution that are told where two texts part."""

CUT_FROM_OUTSIDE = ("max_time", "context")
"""Ends that say more of the machine than of the text."""

DIGITS_OF_HASH = 12

DifferenceKind = Literal["token", "end", "text", "score", "logprob"]


@dataclass(frozen=True)
class TokenOdds(JsonMixin):
    """A token that could stand where two texts part: its log-probability, then and now.

    Attributes:
        then, now: at the stage that the receipt has; None where it was not told.
        final: of what the settings make of it now; None where it was not told.
    """

    token_id: int
    token: str
    then: float | None = None
    now: float | None = None
    final: float | None = None


@dataclass(frozen=True)
class Difference(JsonMixin):
    """The first thing in which a text differs from its receipt.

    Attributes:
        kind: what differs; "end" is why the text ended, "logprob" a figure of the same token.
        position: of the token, from 0; None where it is none.
        then, now: what it was, and what it is: of tokens their ids, None for the text's end.
        odds: of tokens the likeliest ones there, and both that were chosen.
    """

    kind: DifferenceKind
    position: int | None
    then: Any
    now: Any
    odds: tuple[TokenOdds, ...] = ()


@dataclass(frozen=True, repr=False)
class Replay(JsonMixin):
    """What came of making a text again; `str()` says it in words.

    Attributes:
        identical: whether tokens, text, end and reported log-probabilities are those of the
            receipt, to the last bit.
        changed: what is not as it was then, a sentence each: the model, its options, the engine.
        difference: the first one; None if there is none.
        output: the text as it came now.
        has_odds: whether the receipt tells of log-probabilities.
    """

    identical: bool
    changed: tuple[str, ...]
    difference: Difference | None
    output: GenerationOutput
    has_odds: bool = False

    @property
    def verdict(self) -> str:
        """Whether it is the same, and if not, where it parts, in words."""
        return "\n".join(_verdict(self))

    def __str__(self) -> str:
        return "\n".join([*self.changed, self.verdict])


def replay(
    receipt: Receipt,
    origin: ModelOrigin,
    tokenizer: Tokenizer,
    context_length: int,
    functions: Mapping[str, Any] | None = None,
) -> Analysis[Replay]:
    """Make a text again, and compare.

    Args:
        receipt: of the text.
        origin: knows the model that runs.
        tokenizer: its own.
        context_length: its positions.
        functions: those that the receipt cannot hold, by setting.

    Raises:
        ConfigError: the receipt's settings make no sense.
        RequestError: a function is missing, or the prompt cannot run.
    """
    _check_functions(receipt, functions or {})
    stated = receipt.config(functions)
    _check_index(receipt, stated)
    config = _as_far(receipt, stated)
    ids = list(receipt.prompt_token_ids)
    outputs = yield [GenerationTask(ids, config)]
    output = outputs[receipt.index]
    found = _compare(receipt, output, is_cut=_is_cut(receipt))
    if found is not None and found.kind == "token":
        tasks = _probes(receipt, found, config, output, context_length, tokenizer.vocab_size)
        more = (yield tasks) if tasks else []
        found = _with_odds(receipt, found, more, tokenizer, _stage_of(config))
    return Replay(
        identical=found is None,
        changed=_changes(receipt, origin.facts, stated),
        difference=found,
        output=output,
        has_odds=receipt.logprobs is not None,
    )


def _check_functions(receipt: Receipt, functions: Mapping[str, Any]) -> None:
    for name in receipt.functions:
        if name not in functions:
            raise RequestError(
                f"the receipt lacks the function that was {name}: give it, as "
                f"functions={{{name!r}: f}}"
            )
    for name in functions:
        if name not in receipt.functions:
            raise RequestError(f"functions has {quote(name)}, which the receipt's text had not")


def _check_index(receipt: Receipt, config: GenerationConfig) -> None:
    if receipt.index >= config.num_return_sequences:
        raise RequestError(
            f"the receipt is of sample {receipt.index}, but its settings ask for "
            f"{count(config.num_return_sequences, 'sample')}"
        )


def _is_cut(receipt: Receipt) -> bool:
    """Whether the text ended for a reason that says nothing of the text."""
    return receipt.stop_kind in CUT_FROM_OUTSIDE or receipt.finish_reason in ("abort", "error")


def _as_far(receipt: Receipt, config: GenerationConfig) -> GenerationConfig:
    """The settings, for the sample alone, and for no more tokens than can be compared."""
    config = config.override(max_time=None)
    if config.num_beams > 1:
        return config
    most = max(1, receipt.num_tokens + (not _is_cut(receipt)), config.min_new_tokens or 0)
    changes: dict[str, Any] = {"num_return_sequences": receipt.index + 1}
    limit = config.max_new_tokens
    if config.forced_eos_token_id is None and (limit is None or limit > most):
        changes["max_new_tokens"] = most
    return config.override(**changes)


def _compare(receipt: Receipt, output: GenerationOutput, *, is_cut: bool) -> Difference | None:
    """The first difference; of a text that was cut from outside, in what there was of it."""
    now = tuple(output.token_ids[: len(receipt.token_ids)] if is_cut else output.token_ids)
    for position, (then_id, now_id) in enumerate(zip_longest(receipt.token_ids, now)):
        if then_id != now_id:
            return Difference("token", position, then_id, now_id)
    if not is_cut:
        found = _differing_end(receipt, output)
        if found is not None:
            return found
    return _differing_logprob(receipt, output)


def _differing_end(receipt: Receipt, output: GenerationOutput) -> Difference | None:
    reason = output.stop_reason
    end = (reason.kind, reason.value) if reason is not None else (None, None)
    then = (receipt.finish_reason, receipt.stop_kind, receipt.stop_value)
    now = (output.finish_reason, *end)
    if then != now:
        return Difference("end", None, list(then), list(now))
    if receipt.text != output.text:
        return Difference("text", None, receipt.text, output.text)
    if receipt.score != output.score:
        return Difference("score", None, receipt.score, output.score)
    return None


def _differing_logprob(receipt: Receipt, output: GenerationOutput) -> Difference | None:
    now = token_facts(output)
    if receipt.logprobs is None or now is None:
        return None
    for position, (one, other) in enumerate(zip(receipt.logprobs, now, strict=False)):
        if one != other:
            return Difference("logprob", position, one.logprob, other.logprob)
    return None


def _changes(receipt: Receipt, here: ModelFacts, config: GenerationConfig) -> tuple[str, ...]:
    """What is not as it was when the receipt was made, a sentence each."""
    then, found = receipt.model, []
    if receipt.foretell != __version__:
        version = one_line(receipt.foretell)
        found.append(f"foretell {version} made the text: this is {__version__}")
    for name in ("sha256", "tokenizer_sha256"):
        found += _changed_hash(name, getattr(then, name), getattr(here, name))
    for one in fields(ModelFacts):
        if one.name in ("backend", "options", "adapters"):
            before, now = getattr(then, one.name), getattr(here, one.name)
            if before != now:
                found.append(f"{one.name} were {quote(before)}: here {quote(now)}")
    return (*found, *_changed_settings(receipt, config))


def _changed_hash(name: str, then: str | None, now: str | None) -> list[str]:
    if then == now and then is not None:
        return []
    what = "the model" if name == "sha256" else "the tokenizer"
    if then is None or now is None:
        return [f"whether {what} is that of the receipt is not known: it has no hash"]
    return [f"{what} is another: sha256 {_short(then)} then, {_short(now)} now"]


def _short(digest: str) -> str:
    return f"{digest[:DIGITS_OF_HASH]}…"


def _changed_settings(receipt: Receipt, config: GenerationConfig) -> list[str]:
    """What a preset or a dialect fills in otherwise than it did."""
    now = {**config.as_dict(), "dialect": config.dialect}
    names = [
        name for name in {**receipt.settings, **now} if name not in ("preset", *receipt.functions)
    ]
    return [
        f"{name} was {quote(receipt.settings.get(name))}: here {quote(now.get(name))}"
        for name in names
        if receipt.settings.get(name) != now.get(name)
    ]


def _probes(
    receipt: Receipt,
    found: Difference,
    config: GenerationConfig,
    output: GenerationOutput,
    context_length: int,
    vocab_size: int,
) -> list[GenerationTask]:
    """What asks for the distribution where the texts part: behind the tokens that are common.

    The first reports what the model says of the token that the receipt has there; the second, where
    nothing is searched, what the settings made of the one that came.
    """
    assert found.position is not None
    next_id = found.then if found.then is not None and found.then < vocab_size else found.now
    ids = [*output.prompt_token_ids, *receipt.token_ids[: found.position], next_id]
    tasks = []
    if next_id is not None and len(ids) < context_length:
        probe = GenerationConfig(max_new_tokens=1, prompt_logprobs=NUM_ODDS, do_sample=False)
        tasks.append(GenerationTask(ids, probe))
    if config.num_beams == 1:
        stages = tuple(dict.fromkeys((_stage_of(config), "final")))
        reported = config.override(logprobs=NUM_ODDS, logprobs_stage=stages)
        tasks.append(GenerationTask(list(receipt.prompt_token_ids), reported))
    return tasks


def _stage_of(config: GenerationConfig) -> LogprobStage:
    """Of which distribution a receipt with these settings tells."""
    return cast("tuple[LogprobStage, ...]", config.logprobs_stage)[0]


Told = dict[int, "float | None"]
"""Log-probabilities by token id."""


def _with_odds(
    receipt: Receipt,
    found: Difference,
    outputs: list[GenerationOutput],
    tokenizer: Tokenizer,
    stage: LogprobStage,
) -> Difference:
    """The difference, with both distributions; `stage` is that of which the receipt tells."""
    assert found.position is not None
    then = _told_then(receipt, found.position)
    now: Told = {}
    final: Told = {}
    for output in outputs:
        if output.config.prompt_logprobs is not None and output.prompt_logprobs and stage == "raw":
            now |= _told(output.prompt_logprobs[-1])
        elif output.index == receipt.index and output.logprobs is not None:
            now = {**_told_at(output, stage, found.position), **now}
            final |= _told_at(output, "final", found.position)
    chosen = [one for one in (found.then, found.now) if one is not None]
    ids = dict.fromkeys([*chosen, *_likeliest(now), *_likeliest(then)])
    odds = tuple(
        TokenOdds(one, _display(tokenizer, one), then.get(one), now.get(one), final.get(one))
        for one in ids
    )
    return Difference(found.kind, found.position, found.then, found.now, odds)


def _told_then(receipt: Receipt, position: int) -> Told:
    if receipt.logprobs is None or position >= len(receipt.logprobs):
        return {}
    fact = receipt.logprobs[position]
    return {**dict(fact.top), receipt.token_ids[position]: fact.logprob}


def _told(entry: TokenLogprob) -> Told:
    return {**{one.token_id: one.logprob for one in entry.top}, entry.token_id: entry.logprob}


def _told_at(output: GenerationOutput, stage: LogprobStage, position: int) -> Told:
    entries = (output.logprobs_by_stage or {}).get(stage, output.logprobs) or []
    return _told(entries[position]) if position < len(entries) else {}


def _likeliest(told: Told) -> list[int]:
    known = {token_id: value for token_id, value in told.items() if value is not None}
    return sorted(known, key=lambda one: -known[one])[:NUM_ODDS]


def _display(tokenizer: Tokenizer, token_id: int) -> str:
    known = 0 <= token_id < tokenizer.vocab_size
    return tokenizer.display([token_id]) if known else f"<{token_id}>"


def _verdict(view: Replay) -> list[str]:
    """Whether it is the same, in words."""
    number, found = len(view.output.token_ids), view.difference
    if found is None:
        return [f"identical: {number} token{'s' * (number != 1)}, bit for bit"]
    if found.kind != "token":
        where = "" if found.position is None else f" of token {found.position}"
        what = {"end": "end", "text": "text", "score": "score", "logprob": "log-probability"}
        name = what[found.kind]
        return [f"the {name}{where} differs: then {quote(found.then)}, now {quote(found.now)}"]
    names = {one.token_id: f"{show_token(one.token)} ({one.token_id})" for one in found.odds}
    then, now = (names.get(one, "the end") for one in (found.then, found.now))
    return [f"token {found.position} differs: then {then}, now {now}", *_table(view, found)]


def _table(view: Replay, found: Difference) -> list[str]:
    """Both distributions, a token a line."""
    if not found.odds:
        return []
    labels = [show_token(one.token) for one in found.odds]
    width = max(map(width_of, labels))
    lines = [f"  {pad('', width)}  {'then':>9} {'now':>9} {'drawn':>9}   log-probability"]
    for label, one in zip(labels, found.odds, strict=True):
        figures = " ".join(f"{_figure(value):>9}" for value in (one.then, one.now, one.final))
        lines.append(f"  {pad(label, width)}  {figures}")
    if not view.has_odds:
        lines.append("  (the receipt tells no log-probabilities: logprobs=5 keeps some)")
    return lines


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
