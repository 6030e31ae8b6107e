"""How a text is cut for its perplexity: the conventions of three systems.

Figures of different conventions are different figures of one model: a token is the less surprising
the more text stands before it, and each convention gives tokens another past.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from foretell.analysis.continuations import ScoredSpan
from foretell.config import Range
from foretell.errors import ConfigError, RequestError
from foretell.text.tokenizer import Tokenizer
from foretell.utils.display import count
from foretell.utils.quoting import quote

Convention = Literal["llama.cpp", "huggingface", "lm-eval"]

CONVENTIONS: tuple[str, ...] = get_args(Convention)
LLAMA_CPP_WINDOW = 512
HUGGINGFACE_STRIDE = 512
SHORTEST = 2


@dataclass(frozen=True)
class Window:
    """A stretch of a text, of which the last tokens are scored.

    Attributes:
        span: its tokens, and how many of them are scored.
        weight: for how many tokens their mean counts.
    """

    span: ScoredSpan
    weight: int


@dataclass(frozen=True)
class Cut:
    """How a text is cut.

    Attributes:
        convention: whose way it is.
        size: most tokens of a window.
        stride: by how many tokens each of Hugging Face's windows begins later; None elsewhere.
    """

    convention: Convention
    size: int
    stride: int | None = None

    def windows(self, token_ids: Sequence[int], tokenizer: Tokenizer) -> Iterator[Window]:
        """The windows of a text, whose ids these are; RequestError if it is too short."""
        if self.convention == "llama.cpp":
            return _llama_cpp(token_ids, self.size, tokenizer)
        if self.stride is not None:
            return _huggingface(token_ids, self.size, self.stride)
        return _lm_eval(token_ids, self.size, prefix_token(tokenizer))

    def num_windows(self, num_tokens: int) -> int:
        """How many windows a text of so many tokens has."""
        if self.convention == "llama.cpp":
            return num_tokens // self.size
        if self.stride is not None:
            return 1 + max(0, -(-(num_tokens - self.size) // self.stride))
        return -(-num_tokens // self.size)

    def encode(self, text: str, tokenizer: Tokenizer) -> list[int]:
        """The ids of a text. RequestError if it has no tokens, or too few for this cut."""
        ids = tokenizer.encode(text)
        least = 2 * self.size if self.convention == "llama.cpp" else SHORTEST
        if self.convention == "lm-eval":
            least = 1
        if len(ids) < least:
            raise RequestError(
                f"the text has {count(len(ids), 'token')}: the convention {self.convention} with "
                f"window={self.size} needs at least {least}"
            )
        return ids


def cut_for(
    convention: str, context_length: int, window: int | None = None, stride: int | None = None
) -> Cut:
    """The cut of a convention, for a model of this context.

    Args:
        convention: "llama.cpp", "huggingface" or "lm-eval".
        context_length: most positions of a sequence.
        window: most tokens of a window; None for 512 with llama.cpp, else the context.
        stride: Hugging Face's; None for 512, or the window if that is shorter.

    Raises:
        ConfigError: there is no such convention, or a number makes no sense with it.
    """
    if convention not in CONVENTIONS:
        raise ConfigError(f"convention={quote(convention)} must be one of {', '.join(CONVENTIONS)}")
    usual = LLAMA_CPP_WINDOW if convention == "llama.cpp" else context_length
    size = min(usual, context_length) if window is None else window
    least = 4 if convention == "llama.cpp" else SHORTEST
    Range(int, least, math.inf, "tokens of a window").check("window", size)
    if size > context_length:
        raise ConfigError(f"window={size} must be at most the context, {context_length}")
    if convention != "huggingface":
        if stride is not None:
            raise ConfigError(
                f"stride={stride} has no effect: the convention {convention} has no stride"
            )
        return Cut(_known(convention), size)
    step = min(HUGGINGFACE_STRIDE, size) if stride is None else stride
    Range(int, 1, math.inf, "tokens between two windows").check("stride", step)
    if step > size:
        raise ConfigError(f"stride={step} must be at most the window, {size}")
    return Cut("huggingface", size, step)


def _known(convention: str) -> Convention:
    return "llama.cpp" if convention == "llama.cpp" else "lm-eval"


def prefix_token(tokenizer: Tokenizer) -> int:
    """What lm-eval puts before a text: beginning of sequence, else its end.

    RequestError if the model has neither.
    """
    for token_id in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token_id is not None:
            return token_id
    raise RequestError(
        "the model has no token for the beginning or the end of a text: the convention lm-eval "
        "puts one before it"
    )


def _llama_cpp(ids: Sequence[int], size: int, tokenizer: Tokenizer) -> Iterator[Window]:
    """llama-perplexity's: windows end to end, of each the second half, a last rest left out.

    Where the tokenizer begins texts with a token of its own, it takes the place of each window's
    first.
    """
    num_scored = size - 1 - size // 2
    for start in range(0, len(ids) - size + 1, size):
        tokens = [*ids[start : start + size]]
        if tokenizer.adds_bos and tokenizer.bos_token_id is not None:
            tokens[0] = tokenizer.bos_token_id
        yield Window(ScoredSpan(tokens, num_scored), num_scored)


def _huggingface(ids: Sequence[int], size: int, stride: int) -> Iterator[Window]:
    """transformers' documented loop: overlapping windows, of each what is new.

    Its weights are kept too: a window's mean counts for one token fewer than are new in it, also
    where the first of them has a past in the window and is scored.
    """
    reached = 0
    for start in range(0, len(ids), stride):
        stop = min(start + size, len(ids))
        num_new, num_tokens = stop - reached, stop - start
        reached = stop
        num_scored = min(num_new, num_tokens - 1)
        if num_scored and num_new > 1:
            yield Window(ScoredSpan(ids[start:stop], num_scored), num_new - 1)
        if stop == len(ids):
            return


def _lm_eval(ids: Sequence[int], size: int, prefix: int) -> Iterator[Window]:
    """lm-evaluation-harness's rolling windows: end to end, each token scored once.

    A window is scored from the token before it; the first one from `prefix`. What is left for the
    last one has as much past as a whole window.
    """
    for start in range(0, len(ids), size):
        stop = min(start + size, len(ids))
        before = [prefix] if start == 0 else ids[stop - size - 1 : start]
        yield Window(ScoredSpan([*before, *ids[start:stop]], stop - start), stop - start)
