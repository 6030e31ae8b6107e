"""Length and end."""

from __future__ import annotations

import math

from foretell.config.ranges import FINITE, Range
from foretell.config.settings.setting import Kind, Setting
from foretell.config.validators import RepetitionDetection
from foretell.config.values import (
    BOOLEAN,
    DECAY,
    DETECTION,
    FUNCTION_OR_SEVERAL,
    REGEXES,
    TEXTS,
    TOKEN_IDS,
)

_LOOP = RepetitionDetection()

HEADING = "Length and end"

ROWS: dict[str, Setting] = {
    "max_new_tokens": Setting(
        Range(int, 1, math.inf, "tokens to generate at most"),
        Kind.RUN,
        low="cut short",
        high="until the text ends or the context is full",
        aliases=(
            "max_tokens",
            "n_predict",
            "num_predict",
            "max_completion_tokens",
            "max_output_tokens",
            "max_gen_len",
            "max_tokens_to_sample",
            "max_generated_tokens",
        ),
        usual=1,
        note="[default: until the text ends]",
    ),
    "max_length": Setting(
        Range(int, 1, math.inf, "tokens of prompt and output together at most"),
        Kind.RUN,
        low="cut short",
        high="until the text ends or the context is full",
    ),
    "min_new_tokens": Setting(
        Range(int, 0, math.inf, "tokens to generate at least", neutral=0),
        Kind.LENGTH,
        low="may end at once",
        high="goes on, needed or not",
        at_most="max_new_tokens",
        aliases=("min_tokens",),
    ),
    "min_length": Setting(
        Range(int, 0, math.inf, "tokens of prompt and output at least", neutral=0),
        Kind.LENGTH,
        low="may end at once",
        high="goes on, needed or not",
        at_most="max_length",
    ),
    "max_time": Setting(
        Range(
            float,
            0.0,
            FINITE,
            "seconds after which to stop; looked at after each token, not while a prompt is read",
            open_low=True,
        ),
        Kind.RUN,
        low="cut short",
        high="as long as it takes",
        aliases=("timeout", "time_limit"),
    ),
    "stop": Setting(
        TEXTS,
        Kind.RUN,
        "texts that end the output",
        ends_text=True,
        aliases=(
            "stop_strings",
            "stop_sequences",
            "stop_sequence",
            "stop_words",
            "stopping",
            "stopping_strings",
            "stop_str",
            "reverse_prompt",
            "antiprompt",
        ),
        usual=10,
    ),
    "include_stop_str_in_output": Setting(
        BOOLEAN,
        Kind.RUN,
        "keep the text that ended the output",
        needs=("stop", "stop_regex"),
        aliases=("include_stop", "no_stop_trim"),
    ),
    "show_special_tokens": Setting(
        BOOLEAN,
        Kind.RUN,
        "write special tokens in the text by their names; its ids have them all the same",
    ),
    "stop_regex": Setting(
        REGEXES,
        Kind.RUN,
        "regular expressions that end the output",
        ends_text=True,
    ),
    "stop_token_ids": Setting(
        TOKEN_IDS,
        Kind.RUN,
        "token ids that end the output, and are no part of its text",
        aliases=("stop_tokens", "stop_ids", "stop_token_id"),
    ),
    "eos_token_id": Setting(
        TOKEN_IDS,
        Kind.END,
        "end-of-sequence ids in place of the model's own",
        aliases=("eos_token_ids", "eos_id", "end_id", "end_token_id"),
    ),
    "ignore_eos": Setting(
        BOOLEAN,
        Kind.RUN,
        "go on past end-of-sequence tokens",
        aliases=("ban_eos_token",),
    ),
    "forced_eos_token_id": Setting(
        TOKEN_IDS,
        Kind.LAST,
        "the token ids of which one comes last at the length limit",
        with_others="has no effect without max_new_tokens or max_length",
    ),
    "exponential_decay_length_penalty": Setting(
        DECAY,
        Kind.LENGTH,
        "(start, factor): from `start` tokens on, the end of sequence gains weight",
        formula="x + |x| · (factor^(t - start) - 1)",
        source="transformers",
    ),
    "repetition_detection": Setting(
        DETECTION,
        Kind.RUN,
        f"end the output when it loops; True: when {_LOOP.max_pattern_size} tokens or fewer come "
        f"{_LOOP.min_count} times over",
        source="vLLM",
        code="""\
# longer loops, and sooner: of up to 64 tokens, three times over
out = llm.generate(
    "The cat sat on the",
    max_new_tokens=200,
    repetition_detection={"max_pattern_size": 64, "min_count": 3},
)
print(out.stop_reason)
""",
    ),
    "stopping_criteria": Setting(
        FUNCTION_OR_SEVERAL,
        Kind.RUN,
        "a function: from the text and the ids so far to whether to stop",
        ends_text=True,
        forms=("f(text, ids)", "f(input_ids, scores)"),
        called="after each token, from min_new_tokens on, with the text and the list of ids that "
        "were generated so far; it returns whether to stop. transformers' form, told by the names "
        "of its arguments: the ids of prompt and output (1, length), a tensor where torch is "
        "imported, else an array; scores are None",
        code="""\
def after_two_sentences(text, ids):
    return text.count(". ") >= 2

llm.generate("Once", stopping_criteria=after_two_sentences, max_new_tokens=50)
""",
        aliases=("stop_criteria", "stopping_criterion"),
    ),
}
