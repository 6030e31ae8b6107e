"""What the user gets back: plain frozen data, ready to print or to turn into JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, get_args

from foretell.config import GenerationConfig, choices
from foretell.config.schemas import JsonSchema
from foretell.errors import RequestError
from foretell.receipts.receipt import Receipt
from foretell.utils import html
from foretell.utils.display import count, show_probability, show_token
from foretell.utils.short_repr import call_repr, short_repr
from foretell.utils.token_tables import PLAIN, Look, candidate_lines, scored_lines

FinishReason = Literal["stop", "length", "abort", "error"]

LogprobStage = choices.LogprobStage
"""Of which distribution: the model's, after penalties and masks, or the one drawn from."""

ContentStopKind = Literal["eos", "token", "string", "regex", "grammar", "loop", "criteria"]
"""Rules on what was written; they go with the finish reason "stop"."""

LimitStopKind = Literal["max_new_tokens", "max_length", "context", "max_time"]
"""Limits; they go with the finish reason "length"."""

StopKind = Literal[ContentStopKind, LimitStopKind]
"""Which rule ended a sequence."""


class JsonMixin:
    """Gives a dataclass `to_dict()`, nested plain data for `json.dumps`, and a short repr."""

    def to_dict(self) -> dict[str, Any]:
        """The same data as nested dicts, lists, numbers and strings.

        None stands for what is infinite, as JSON has no such number: the log-probability of a
        token that is ruled out, the perplexity of an impossible text.
        """
        return {
            field.name: _plain(getattr(self, field.name))
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
            if field.repr
        }

    def __repr__(self) -> str:
        """The fields that say something, shortened; `to_dict()` has all."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        values = {field.name: getattr(self, field.name) for field in fields}
        told = {f.name: values[f.name] for f in fields if f.repr and values[f.name] != f.default}
        return call_repr(type(self).__name__, told)


def _plain(value: Any) -> Any:
    if isinstance(value, GenerationConfig):
        return value.as_dict()
    if isinstance(value, JsonMixin):
        return value.to_dict()
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isinf(value) else value


@dataclass(frozen=True, repr=False)
class StopReason(JsonMixin):
    """Which stopping rule fired, and on what: a token id, the matched text, a limit.

    `value` is the token id for "eos" and "token", the stop string for "string", the matched text
    for "regex", the length of the repeated pattern for "loop", the limit for the rest, and None
    for "criteria" and for "grammar": the text is complete, and nothing could follow it.
    """

    kind: StopKind
    value: int | float | str | None = None

    @property
    def finish_reason(self) -> FinishReason:
        """ "length" if a limit was reached, else "stop"."""
        return "length" if self.kind in get_args(LimitStopKind) else "stop"


@dataclass(frozen=True, repr=False)
class TokenLogprob(JsonMixin):
    """One token with its natural-log probability at one stage, of the raw model as a rule.

    `token` is the token as people read it: what is no whole character shows as its bytes,
    `<EA B3>`. `bytes` has the exact bytes. `rank` is 1 for the most probable token. `top` lists the
    alternatives, most probable first, when they were asked for. `logprob` is None where the model
    gives none (the first token of a scored text).
    """

    token_id: int
    token: str
    bytes: bytes
    logprob: float | None
    rank: int | None = None
    top: tuple[TokenLogprob, ...] = ()
    stage: LogprobStage = "raw"


@dataclass(frozen=True, repr=False)
class Usage(JsonMixin):
    """Tokens counted and seconds spent by one output.

    Each sample counts the whole prompt, though it was computed once for all of them:
    to count a prompt once, add up the outputs of index 0. `cached_tokens` are those prompt tokens
    that this sample found computed already, by earlier requests that began alike.
    `time_to_first_token` counts from when the request was given to the engine, and so holds the
    wait for others before it. `draft_tokens` were guessed ahead and verified; `accepted_tokens` of
    the completion came of such a guess, without a step of their own. `speculation_off` says why
    nothing was guessed for this request, where it is for others. `reasoning_tokens` of the
    completion stand between `<think>` and `</think>`, where the model's template has these.
    """

    prompt_tokens: int
    completion_tokens: int
    time_to_first_token: float
    decode_seconds: float
    cached_tokens: int = 0
    draft_tokens: int = 0
    accepted_tokens: int = 0
    speculation_off: str | None = None
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def tokens_per_second(self) -> float:
        """Decode speed: tokens after the first, over the seconds they took (0 if only one)."""
        if self.completion_tokens < 2 or self.decode_seconds <= 0:
            return 0.0
        return (self.completion_tokens - 1) / self.decode_seconds


@dataclass(frozen=True, repr=False)
class SearchUsage(Usage):
    """Usage of a beam search, most of whose tokens become certain at its end.

    So `time_to_first_token` and `decode_seconds` tell when, and not how fast they were found.
    """

    @property
    def tokens_per_second(self) -> float:
        """All tokens, over all the seconds from when the request was given to the engine."""
        seconds = self.time_to_first_token + self.decode_seconds
        return self.completion_tokens / seconds if seconds > 0 else 0.0


@dataclass(frozen=True, repr=False)
class StageTrace(JsonMixin):
    """What one stage of the chain left of the distribution; the first is the raw model's.

    `name` is the setting's, `setting` its value. `num_candidates` tokens are possible after it.
    `mass` is the share, 0 to 1, that these had of the distribution before it: 1 for a stage that
    removes nothing. `entropy`, in nats, is that of the distribution after it.
    """

    name: str
    setting: str
    num_candidates: int
    mass: float
    entropy: float


@dataclass(frozen=True, repr=False)
class DrawTrace(JsonMixin):
    """The number drawn, in [0, 1), and the chosen token's interval, which it fell into.

    The final probabilities are summed by ascending ids: `low` is the sum before the token, `high`
    that with it.
    """

    uniform: float
    low: float
    high: float


@dataclass(frozen=True, repr=False)
class CandidateTrace(JsonMixin):
    """What became of one token, the chosen one or a runner-up.

    `rank` is that in the raw model's order, 1 for the likeliest. `logits` and `probabilities`
    have an entry for each stage; a logit is None where the token is ruled out. `removed_by` is the
    index of the stage that ruled it out for good, None if it could be drawn.
    """

    token_id: int
    token: str
    bytes: bytes
    rank: int
    logits: tuple[float | None, ...]
    probabilities: tuple[float, ...]
    removed_by: int | None = None


@dataclass(frozen=True, repr=False)
class StepTrace(JsonMixin):
    """Why this token: its way, and that of the likeliest others, through the stages of the chain.

    `runners_up` are the likeliest others of the raw model and of the final distribution, five of
    each or, if that is more, as many as `logprobs` says, in the raw model's order. `draw` is None
    where nothing was drawn (greedy).
    """

    stages: tuple[StageTrace, ...]
    chosen: CandidateTrace
    runners_up: tuple[CandidateTrace, ...]
    draw: DrawTrace | None = None


@dataclass(frozen=True, repr=False)
class KeptPrefix(JsonMixin):
    """What of a prompt is kept in a file: the keys and values of its tokens, in full blocks.

    Attributes:
        path: of the file.
        token_ids: of the tokens that are kept, from the prompt's first on.
        num_bytes: of the file.
        sha256: of the file's head, which has the hashes of the rest: it stands for all of it.
        num_cached: tokens of which keys and values are in the model's prefix cache now.
    """

    path: str
    token_ids: list[int]
    num_bytes: int
    sha256: str
    num_cached: int

    @property
    def num_tokens(self) -> int:
        """Tokens that are kept."""
        return len(self.token_ids)


@dataclass(frozen=True, repr=False)
class ToolCall(JsonMixin):
    """A call of a tool: its `id`, the name of the tool, and its `arguments`, JSON as written."""

    id: str
    name: str
    arguments: str

    def parsed(self) -> Any:
        """The arguments as Python has them; ValueError where the text broke off before its end."""
        return json.loads(self.arguments or "{}")

    def to_dict(self) -> dict[str, Any]:
        """As OpenAI writes it, ready to be part of a message."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


class Origin(Protocol):
    """What an output comes from: it knows what the output itself does not say."""

    def receipt(self, output: GenerationOutput) -> Receipt:
        """What it takes to make the output again."""
        ...


@dataclass(frozen=True, repr=False)
class GenerationOutput(JsonMixin):
    """One finished generation.

    `text` is the continuation without the prompt. `token_ids` are the generated ids, an
    end-of-sequence token included; where a stop string was cut from the text, the tokens that
    gave nothing else are cut too, and their log-probabilities with them. `stop_reason` says which
    rule ended it. `config` holds the settings in force, the seed drawn included. `logprobs` has
    the first stage that was asked for, `logprobs_by_stage` all, if they are several.
    `prompt_logprobs` has one entry for each prompt token, the first without a value. `trace` says
    of each generated token what the settings made of its odds, if that was asked for. `index`
    says which of the prompt's samples this is, from 0. `score` is what a beam search ranked the
    text by: the sum of its log-probabilities over length ** length_penalty. Of stochastic beams it
    is that sum, and `inclusion_probability` says how likely the text was to be among those drawn:
    exp(score) / inclusion_probability is its weight in a mean over all texts. `complete` says
    whether the text is of the language that it was held to, and ended there; None without one.
    `passed_over` says what of that the text was not held to. Of a chat in which tools may be
    called, or reasoning is told apart: `tool_calls`, `reasoning_content`, and `content`, the text
    without them; the last two, too, of a text with `allow_thinking`.
    """

    text: str
    token_ids: list[int]
    finish_reason: FinishReason
    usage: Usage
    config: GenerationConfig
    prompt: str
    prompt_token_ids: list[int]
    logprobs: list[TokenLogprob] | None = None
    stop_reason: StopReason | None = None
    logprobs_by_stage: dict[LogprobStage, list[TokenLogprob]] | None = None
    prompt_logprobs: list[TokenLogprob] | None = None
    trace: list[StepTrace] | None = None
    index: int = 0
    score: float | None = None
    complete: bool | None = None
    passed_over: list[str] | None = None
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None
    inclusion_probability: float | None = None
    origin: Origin | None = dataclasses.field(default=None, repr=False, compare=False)

    @cached_property
    def receipt(self) -> Receipt:
        """All that it takes to make the text again: `LLM.replay` does.

        It is made when it is asked for; the first one of a model has its file hashed. RequestError
        where that is not known.
        """
        if self.origin is None:
            raise RequestError("this output has no receipt: it does not say what it was made with")
        return self.origin.receipt(self)

    @cached_property
    def parsed(self) -> Any:
        """What the text stands for, where it was held to a form; None while it is not complete.

        JSON is plain data, or an instance of the type that was given as the schema; of any other
        form it is the text, without what was thought before. None, too, where `schema_errors` has
        errors, and where tools were called in the place of JSON. Raises what a type of the user's
        own raises that takes less than its schema says, and ValueError for a whole number of more
        digits than Python reads (`sys.get_int_max_str_digits`).
        """
        if not self._has_answer or self.schema_errors:
            return None
        schema = self.config.json_schema
        if isinstance(schema, JsonSchema):
            return schema.value_of(self._answer)
        return json.loads(self._answer) if self.config.json else self._answer

    @cached_property
    def schema_errors(self) -> list[str] | None:
        """What is wrong with a complete text by the whole of its schema, found as it is asked for.

        None where that is not looked for: without `lenient=True`, or where the text is not
        complete. ConfigError where the package jsonschema, which looks, is missing.
        """
        schema = self.config.json_schema
        if not (self._has_answer and self.config.lenient and isinstance(schema, JsonSchema)):
            return None
        return schema.errors_of(self._answer)

    @property
    def _is_json(self) -> bool:
        return self.config.json or self.config.json_schema is not None

    @property
    def _has_answer(self) -> bool:
        """Whether the text is complete, and no call of a tool where it might have been JSON."""
        return bool(self.complete) and not (self._is_json and self.tool_calls)

    @property
    def _answer(self) -> str:
        """What of the text its form is about: what was thought before is not."""
        has_tags = self.config.form == "structural_tag"
        is_split = self._is_json if has_tags else self.config.allow_thinking
        return self.text if self.content is None or not is_split else self.content

    def _repr_html_(self) -> str:
        if self.logprobs:
            tokens = [_view_of(token) for token in self.logprobs]
            return html.frame(html.flow(self.prompt, tokens), notes=self._notes())
        return html.frame(html.plain_flow(self.prompt, self.text), notes=self._notes())

    def _notes(self) -> list[str]:
        end = self.finish_reason if self.stop_reason is None else self.stop_reason.kind
        speed = self.usage.tokens_per_second
        told = [count(self.usage.completion_tokens, "token"), f"ended by {end}"]
        told += [f"{speed:.1f} tokens/s"] if speed else []
        return [" · ".join(told), show_settings(self.config)]


@dataclass(frozen=True, repr=False)
class Chunk(JsonMixin):
    """A piece of a stream. Texts, token ids, log-probabilities and traces, joined, equal the
    output's.

    `prompt_index` says which of a list of prompts it goes on with, `index` which of the samples.

    `text` may be empty while the bytes of a character are incomplete, or while what is there may
    yet become a stop string; a token comes with the chunk that completes its text. `start_byte`
    is where the text begins in the UTF-8 bytes of the whole continuation. A sample's first chunk
    alone has `prompt_logprobs`, if they were asked for. The last chunk alone has a `finish_reason`
    and the finished `output`.
    """

    text: str
    token_ids: list[int]
    start_byte: int = 0
    logprobs: list[TokenLogprob] | None = None
    logprobs_by_stage: dict[LogprobStage, list[TokenLogprob]] | None = None
    finish_reason: FinishReason | None = None
    output: GenerationOutput | None = None
    prompt_index: int = 0
    index: int = 0
    trace: list[StepTrace] | None = None
    prompt_logprobs: list[TokenLogprob] | None = None

    def require_output(self) -> GenerationOutput:
        """The finished output of the last chunk; RequestError for any other chunk."""
        if self.output is None:
            raise RequestError("only a stream's last chunk has the output: read it to the end")
        return self.output


@dataclass(frozen=True, repr=False)
class NextToken(JsonMixin):
    """One candidate for the next token: probability before and after the settings' processors."""

    token_id: int
    token: str
    bytes: bytes
    logit: float
    logprob: float
    probability: float
    final_probability: float


@dataclass(frozen=True, repr=False)
class NextDistribution(JsonMixin):
    """P(x_t | x_<t) for one prompt: its most probable tokens, and figures of the whole.

    Printed, it is a table with a bar for each token.
    `entropy` is in nats, over the raw distribution; `final_entropy` over what the settings make of
    it. `candidates` counts the tokens that these leave a chance.
    """

    prompt: str
    prompt_token_ids: list[int]
    tokens: list[NextToken]
    entropy: float
    final_entropy: float
    candidates: int
    vocab_size: int
    config: GenerationConfig

    def __str__(self) -> str:
        return "\n".join(distribution_lines(self))

    def _repr_html_(self) -> str:
        samples = self.config.is_sampling
        headings = ["token", "probability", "", "log-probability", "logit", "id"]
        rows = [self._cells(token) for token in self.tokens]
        if samples:
            headings.insert(2, "with the settings")
            for row, token in zip(rows, self.tokens, strict=True):
                final = token.final_probability
                row.insert(2, show_probability(final) if final else "cut")
        shown = html.plain_flow(self.prompt, "") + html.table(headings, rows)
        return html.frame(shown, notes=self._notes())

    def _notes(self) -> list[str]:
        """The entropy, and how many tokens stay possible."""
        entropy = f"entropy {self.entropy:.2f} nats over {self.vocab_size} tokens"
        if not self.config.is_sampling:
            return [entropy]
        return [entropy, f"{self.candidates} left by {show_settings(self.config)}"]

    def _cells(self, token: NextToken) -> list[html.Cell]:
        shown = token.final_probability if self.config.is_sampling else token.probability
        return [
            show_token(token.token),
            show_probability(token.probability),
            html.bar(shown),
            f"{token.logprob:.3f}",
            f"{token.logit:.3f}",
            str(token.token_id),
        ]


@dataclass(frozen=True, repr=False)
class Score(JsonMixin):
    """Log-probabilities of a given text by the product rule, P(x) = Π P(x_t | x_<t).

    The first token has no logprob unless the model's tokenizer puts a beginning-of-sequence
    token before it. `logprob` is the sum over the scored tokens; `perplexity` is
    exp(-logprob / number of scored tokens). Printed, it is a table of the tokens.
    """

    text: str
    tokens: list[TokenLogprob]
    logprob: float
    num_scored: int

    @property
    def perplexity(self) -> float:
        """exp of the mean negative log-probability of the scored tokens."""
        try:
            return math.exp(-self.logprob / self.num_scored)
        except OverflowError:
            return math.inf

    def to_dict(self) -> dict[str, Any]:
        """As JsonMixin, with the perplexity."""
        return {**super().to_dict(), "perplexity": _plain(self.perplexity)}

    def __str__(self) -> str:
        return "\n".join(score_lines(self))

    def _repr_html_(self) -> str:
        whole = f"log-probability {self.logprob:.3f}, perplexity {self.perplexity:.2f}"
        note = f"{whole} over {count(self.num_scored, 'token')}"
        return html.frame(html.flow("", [_view_of(token) for token in self.tokens]), notes=[note])


@dataclass(frozen=True, repr=False)
class ContinuationScore(Score):
    """Log-probabilities of a text that goes on from another: P(x_t | context, x_<t).

    `tokens` are those of the continuation alone, each with its logprob. `is_greedy` says whether
    greedy decoding would write just this: each token is the likeliest in its place (of equals, the
    one with the lowest id).
    """

    context: str
    is_greedy: bool


def distribution_lines(found: NextDistribution, look: Look = PLAIN) -> list[str]:
    """The tokens with bars, a token a line; then figures of the whole."""
    table = candidate_lines(found.tokens, samples=found.config.is_sampling, look=look)
    return [*table, look.dim(f"  {'; '.join(found._notes())}")]


def score_lines(score: Score, look: Look = PLAIN) -> list[str]:
    """A table of the tokens, their log-probabilities and ranks, then the sum and perplexity."""
    table = scored_lines(score.tokens, score.logprob, look=look)
    scored = count(score.num_scored, "token")
    return [*table, f"  perplexity {score.perplexity:.2f} over {scored}"]


def show_settings(config: GenerationConfig) -> str:
    """Settings as `name=value`, those that are not the default's."""
    return spell_settings(config.as_dict())


def spell_settings(settings: Mapping[str, Any]) -> str:
    """Settings by name as `name=value, ...`."""
    return ", ".join(f"{name}={short_repr(value)}" for name, value in settings.items())


def _view_of(token: TokenLogprob) -> html.TokenView:
    """A token shaded by its probability, its figures and the likeliest others below."""
    if token.logprob is None:
        return html.TokenView(token.bytes, None, {"log-probability": "none: it is the first"})
    figures = {
        "probability": show_probability(math.exp(token.logprob)),
        "log-probability": f"{token.logprob:.3f}",
        "rank": str(token.rank),
        "id": str(token.token_id),
        **({} if token.stage == "raw" else {"of the distribution": token.stage}),
    }
    others = [
        (show_token(one.token), show_probability(math.exp(one.logprob or 0.0)), f"{one.rank}")
        for one in token.top
    ]
    heads = [("likeliest", "probability", "rank")] if others else []
    return html.TokenView(token.bytes, math.exp(token.logprob), figures, others=[*heads, *others])


@dataclass(frozen=True, repr=False)
class BatchSummary(JsonMixin):
    """What became of a job of many rows.

    Attributes:
        rows, parts: of the whole job.
        answered: rows that have an answer.
        refused: how many of these were answered with an error.
        prompt_tokens, completion_tokens: of the answers.
        parts_done: parts that are there.
        sha256: of the files of all parts, one after the other; None while one is missing.
    """

    rows: int
    answered: int
    refused: int
    prompt_tokens: int
    completion_tokens: int
    parts: int
    parts_done: int
    sha256: str | None

    @property
    def is_complete(self) -> bool:
        """Whether no part is missing."""
        return self.parts_done == self.parts
