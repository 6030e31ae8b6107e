"""What the user gets back: plain frozen data, ready to print or to turn into JSON."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from foretell.config import GenerationConfig
from foretell.errors import RequestError

FinishReason = Literal["stop", "length", "abort", "error"]


class JsonMixin:
    """Gives a dataclass `to_dict()`: nested plain data, ready for `json.dumps`."""

    def to_dict(self) -> dict[str, Any]:
        """The same data as nested dicts, lists, numbers and strings."""
        return {
            field.name: _plain(getattr(self, field.name))
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
        }


def _plain(value: Any) -> Any:
    if isinstance(value, GenerationConfig):
        return value.as_dict()
    if isinstance(value, JsonMixin):
        return value.to_dict()
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True)
class TokenLogprob(JsonMixin):
    """One token with its natural-log probability under the raw model.

    `token` is the token as text; a fragment of a character shows as U+FFFD, and `bytes` has the
    exact bytes. `rank` is 1 for the most probable token. `top` lists the alternatives, most
    probable first, when they were asked for. `logprob` is None where the model gives none (the
    first token of a scored text).
    """

    token_id: int
    token: str
    bytes: bytes
    logprob: float | None
    rank: int | None = None
    top: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True)
class Usage(JsonMixin):
    """Tokens counted and seconds spent by one request."""

    prompt_tokens: int
    completion_tokens: int
    time_to_first_token: float
    decode_seconds: float

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


@dataclass(frozen=True)
class GenerationOutput(JsonMixin):
    """One finished generation.

    `text` is the continuation without the prompt. `token_ids` are the generated ids, an
    end-of-sequence token included. `config` holds the settings in force, the seed drawn included.
    """

    text: str
    token_ids: list[int]
    finish_reason: FinishReason
    usage: Usage
    config: GenerationConfig
    prompt: str
    prompt_token_ids: list[int]
    logprobs: list[TokenLogprob] | None = None


@dataclass(frozen=True)
class Chunk(JsonMixin):
    """A piece of a stream. The texts of all chunks, joined, equal the final text.

    `text` may be empty while the bytes of a character are incomplete. The last chunk alone has a
    `finish_reason` and the finished `output`.
    """

    text: str
    token_ids: list[int]
    logprobs: list[TokenLogprob] | None = None
    finish_reason: FinishReason | None = None
    output: GenerationOutput | None = None

    def require_output(self) -> GenerationOutput:
        """The finished output of the last chunk; RequestError for any other chunk."""
        if self.output is None:
            raise RequestError("only a stream's last chunk has the output: read it to the end")
        return self.output


@dataclass(frozen=True)
class NextToken(JsonMixin):
    """One candidate for the next token: probability before and after the settings' processors."""

    token_id: int
    token: str
    bytes: bytes
    logit: float
    logprob: float
    probability: float
    final_probability: float


@dataclass(frozen=True)
class NextDistribution(JsonMixin):
    """P(x_t | x_<t) for one prompt: its most probable tokens, and figures of the whole.

    `entropy` is in nats, over the raw distribution. `candidates` counts the tokens that the
    settings leave a chance.
    """

    prompt: str
    prompt_token_ids: list[int]
    tokens: list[NextToken]
    entropy: float
    candidates: int
    vocab_size: int
    config: GenerationConfig


@dataclass(frozen=True)
class Score(JsonMixin):
    """Log-probabilities of a given text by the product rule, P(x) = Π P(x_t | x_<t).

    The first token has no logprob unless the model's tokenizer puts a beginning-of-sequence
    token before it. `logprob` is the sum over the scored tokens; `perplexity` is
    exp(-logprob / number of scored tokens).
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
        return {**super().to_dict(), "perplexity": self.perplexity}
