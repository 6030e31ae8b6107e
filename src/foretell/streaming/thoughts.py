"""What of a text is thought: the marks of `text/`, in the tokens that the engine knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from foretell.config import GenerationConfig
from foretell.decoding.thoughts import ThoughtMarks
from foretell.text.reasoning import BEGIN, END, ends_with_mark, may_go_on

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


def thought_marks(
    tokenizer: Tokenizer, config: GenerationConfig, prompt: Sequence[int]
) -> ThoughtMarks | None:
    """What the thoughts of a text stand between; None where its form lets there be none."""
    if not may_go_on(config):
        return None
    spelled = tokenizer.encode(END, add_special_tokens=False, parse_special=True, continuation=True)
    return ThoughtMarks(
        BEGIN.encode(),
        END.encode(),
        tuple(spelled),
        tokenizer.token_bytes,
        is_begun=ends_with_mark(BEGIN, prompt, tokenizer),
    )
