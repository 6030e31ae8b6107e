"""What holds where nobody said it, by what is asked for: the same in Python and in the shell.

`generate` and `stream` have no length of their own: they go on to the end of the sequence, or until
the context is full. The shell's `generate` has one where it writes to a terminal.
"""

from __future__ import annotations

from foretell.config.generation import GenerationConfig

ALTERNATIVES_TOKENS = 10
BEAMS_TOKENS = 5
CHAT_TOKENS = 512
COMPARE_TOKENS = 60
EXPLAIN_TOKENS = 5
TERMINAL_TOKENS = 256

NUM_ALTERNATIVES = 5
NUM_NEXT = 10  # of the likeliest next tokens
NUM_BEAMS = 5  # of a beam search whose tree is shown
NUM_LOGPROBS = 5  # of each token that is explained
NUM_SEEDS = 3  # of a strategy that samples, where several are compared

PART_ROWS = 256  # of each file of a batch's answers


def states_length(config: GenerationConfig) -> bool:
    """Whether the settings say how long a text may become."""
    return config.max_new_tokens is not None or config.max_length is not None


def with_default_length(
    config: GenerationConfig, length: int, room: int, num_prompt_tokens: int
) -> GenerationConfig:
    """The settings with this length where they state none: fewer tokens where there is less room.

    A stated least length raises it. Where there is no room at all, they are left as they are.
    """
    if states_length(config) or room < 1:
        return config
    least = max(config.min_new_tokens or 0, (config.min_length or 0) - num_prompt_tokens)
    return config.override(max_new_tokens=min(max(length, least), room))
