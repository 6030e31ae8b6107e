"""Whether a text bears a watermark: more green tokens than chance would give it.

print(llm.detect_watermark(text, watermark={"hashing_key": 2718281}))
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from foretell.config.plain import number
from foretell.config.settings import SETTINGS
from foretell.config.validators import Watermark
from foretell.decoding.processors.watermark import GreenTokens
from foretell.errors import ConfigError, RequestError
from foretell.inputs.prompts import Prompt, read_prompt
from foretell.outputs import GenerationOutput, JsonMixin
from foretell.utils.display import count
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer

Z_THRESHOLD = 3.0


@dataclass(frozen=True)
class WatermarkEvidence(JsonMixin):
    """What speaks for a watermark, by transformers' names; `str()` says it in a sentence.

    Attributes:
        num_tokens_scored: tokens that were looked at: all with enough before them.
        num_green_tokens: those of them that the watermark makes likelier.
        green_fraction: their share; without a watermark about `expected_fraction`.
        expected_fraction: the watermark's `greenlist_ratio`.
        z_score: by how many standard deviations they are more than chance gives.
        p_value: how often chance gives as many.
        prediction: whether the z-score is above the threshold.
    """

    num_tokens_scored: int
    num_green_tokens: int
    green_fraction: float
    expected_fraction: float
    z_score: float
    p_value: float
    prediction: bool

    @property
    def confidence(self) -> float:
        """1 - p."""
        return 1 - self.p_value

    def __str__(self) -> str:
        verdict = "a watermark" if self.prediction else "no sign of a watermark"
        return (
            f"{verdict}: {self.num_green_tokens} of {count(self.num_tokens_scored, 'token')} are "
            f"green ({self.green_fraction:.0%}, by chance {self.expected_fraction:.0%}), "
            f"z = {self.z_score:.2f}, p = {self.p_value:.2g}"
        )


def detect_watermark(
    token_ids: Sequence[int],
    watermark: Watermark,
    vocab_size: int,
    *,
    bos_token_id: int | None = None,
    z_threshold: float = Z_THRESHOLD,
    ignore_repeated_ngrams: bool = False,
) -> WatermarkEvidence:
    """Count green tokens, as transformers' WatermarkDetector does.

    Args:
        token_ids: of the text, best without its prompt; a first `bos_token_id` does not count.
        watermark: what the text was generated with.
        vocab_size: logits of the model that it was generated with.
        bos_token_id: the tokenizer's.
        z_threshold: above it, a text counts as marked.
        ignore_repeated_ngrams: whether equal tokens in equal places count once.

    Raises:
        ConfigError: the threshold is no number.
        RequestError: there are too few tokens.
    """
    if number(z_threshold) is None:
        raise ConfigError(f"z_threshold={quote(z_threshold)} must be a number")
    ids = [*token_ids]
    if ids and ids[0] == bos_token_id:
        ids = ids[1:]
    if len(ids) <= watermark.context_width:
        raise RequestError(
            f"the text has {count(len(ids), 'token')}: must have more than "
            f"context_width={watermark.context_width}, on which green tokens depend"
        )
    green = GreenTokens(watermark, vocab_size)
    size = watermark.context_width + (not green.is_self_hashed)
    grams = Counter(tuple(ids[at : at + size]) for at in range(len(ids) - size + 1))

    @cache
    def is_green(before: tuple[int, ...], last: int) -> bool:
        return last in green.behind(before)

    hits = {gram for gram in grams if is_green(_context(gram, green), gram[-1])}
    times = dict.fromkeys(grams, 1) if ignore_repeated_ngrams else grams
    return _evidence(
        sum(times.values()),
        sum(times[gram] for gram in hits),
        watermark.greenlist_ratio,
        z_threshold,
    )


def evidence_in(
    text: Prompt | GenerationOutput,
    tokenizer: Tokenizer,
    vocab_size: int,
    watermark: Watermark | Mapping[str, Any] | bool,
    *,
    z_threshold: float,
    ignore_repeated_ngrams: bool,
) -> WatermarkEvidence:
    """What `LLM.detect_watermark` finds, with a model of this tokenizer and so many logits."""
    return detect_watermark(
        _ids_of_text(tokenizer, text),
        _watermark_of(watermark),
        vocab_size,
        bos_token_id=tokenizer.bos_token_id,
        z_threshold=z_threshold,
        ignore_repeated_ngrams=ignore_repeated_ngrams,
    )


def _ids_of_text(tokenizer: Tokenizer, text: Prompt | GenerationOutput) -> list[int]:
    """The token ids of what may be marked: of an output what was generated, else of the whole.

    RequestError if it is none of these.
    """
    if isinstance(text, GenerationOutput):
        return text.token_ids
    return read_prompt(text, tokenizer, parse_special=False)[1]


def _watermark_of(value: Any) -> Watermark:
    """What marks, as the setting takes it; ConfigError if it marks nothing."""
    found = SETTINGS["watermark"].values.check("watermark", value)
    if not isinstance(found, Watermark):
        raise ConfigError(f"watermark={quote(value)} marks nothing: must be True, or what marks")
    return found


def _context(gram: tuple[int, ...], green: GreenTokens) -> tuple[int, ...]:
    """What decides over the last token of some: "lefthash" asks for the one before alone."""
    return gram if green.is_self_hashed else gram[-2:-1]


def _evidence(scored: int, found: int, share: float, threshold: float) -> WatermarkEvidence:
    z_score = (found - share * scored) / math.sqrt(scored * share * (1 - share))
    return WatermarkEvidence(
        num_tokens_scored=scored,
        num_green_tokens=found,
        green_fraction=found / scored,
        expected_fraction=share,
        z_score=z_score,
        p_value=0.5 * math.erfc(z_score / math.sqrt(2)),
        prediction=z_score > threshold,
    )
