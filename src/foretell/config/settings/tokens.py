"""Words and tokens."""

from __future__ import annotations

from foretell.config.ranges import FINITE, Range
from foretell.config.settings.setting import Kind, Setting
from foretell.config.values import (
    BOOLEAN,
    FUNCTION,
    ID_SEQUENCES,
    ONE_TOKEN_ID,
    PROMPT,
    SEQUENCE_BIASES,
    TEXTS,
    TOKEN_BIASES,
    TOKEN_IDS,
    WATERMARK,
)

HEADING = "Words and tokens"

FORMS = ("json_schema", "json", "regex", "choices", "grammar", "structural_tag")

ROWS: dict[str, Setting] = {
    "bad_words": Setting(
        TEXTS,
        Kind.MASK,
        "texts that must not be written",
        aliases=("banned_strings", "banned_words"),
    ),
    "bad_words_ids": Setting(
        ID_SEQUENCES,
        Kind.MASK,
        "sequences of token ids that must not be written",
    ),
    "allowed_token_ids": Setting(
        TOKEN_IDS,
        Kind.MASK,
        "the only token ids that may be written",
        aliases=("allowed_tokens",),
    ),
    "suppress_tokens": Setting(
        TOKEN_IDS,
        Kind.MASK,
        "token ids that must not be written",
        aliases=("banned_tokens", "banned_token_ids", "suppress_token_ids"),
    ),
    "begin_suppress_tokens": Setting(
        TOKEN_IDS,
        Kind.MASK,
        "token ids that must not come first",
    ),
    "logit_bias": Setting(
        TOKEN_BIASES,
        Kind.BIAS,
        "added to the logit of a token, named by id or text; -inf bans it",
        formula="x + bias",
        source="OpenAI",
        with_others="a text of several tokens is a sequence_bias: its last token has the bias "
        "where the others have just been written; in the dialect llama.cpp each of them has it",
    ),
    "sequence_bias": Setting(
        SEQUENCE_BIASES,
        Kind.BIAS,
        "added to the last token's logit where the other ids have just been written",
        formula="x + bias",
        source="transformers",
    ),
    "watermark": Setting(
        WATERMARK,
        Kind.BIAS,
        "make some tokens likelier, by which the text can be recognized later",
        formula="x + bias for greenlist_ratio of the tokens, drawn anew with a seed of the key and "
        "the token before",
        source="Kirchenbauer et al. 2023, arXiv 2301.10226 and 2306.04634, as in transformers",
        after="adaptive_target",
        code="""\
mark = {"bias": 2.5, "hashing_key": 2718281}  # a key of your own, and secret
out = llm.generate("Once upon a time", max_new_tokens=60, watermark=mark)
print(llm.detect_watermark(out, watermark=mark))
""",
        aliases=("watermarking", "watermarking_config"),
    ),
    "token_healing": Setting(
        BOOLEAN,
        Kind.MASK,
        "take the prompt's last tokens back, and write them anew as part of longer ones",
        source="guidance; transformers, which favours what is certain here",
        after="structural_tag",
        not_with={
            **dict.fromkeys(FORMS, "a form begins where the text does"),
            "forced_bos_token_id": "both say what comes first",
            "guidance_scale": "it would be taken back from one of two prompts",
        },
        with_others="is of texts: the template ends a chat's prompt; tokens taken back count as "
        "the prompt's: max_new_tokens and min_new_tokens are of those beyond",
        aliases=("heal_tokens",),
    ),
    "forced_bos_token_id": Setting(
        ONE_TOKEN_ID,
        Kind.MASK,
        "the token id that comes first",
    ),
    "prefix_allowed_tokens_fn": Setting(
        FUNCTION,
        Kind.MASK,
        "a function: from the ids so far to the ids allowed next",
        forms=("f(ids)", "f(batch_id, input_ids)"),
        called="for each token, with a list of all ids so far, the prompt's first; it returns the "
        "ids that may come next, at least one. transformers' form, told by its two arguments: the "
        "prompt's place in the list, and the ids, a tensor where torch is imported, else an array",
        code="""\
digits = llm.tokenizer.encode("0123456789", add_special_tokens=False)

def only_digits(ids):
    return digits

llm.generate("1,2", max_new_tokens=5, prefix_allowed_tokens_fn=only_digits)
""",
    ),
    "guidance_scale": Setting(
        Range(float, 0.0, FINITE, "pull away from the negative prompt; 1 is off", (1, 10)),
        Kind.GUIDANCE,
        low="as without guidance",
        high="away from what the negative prompt suggests",
        formula="u + s · (c - u), on log-probabilities with (c) and without (u) the prompt",
        source="Sanchez et al. 2023, arXiv 2306.17806",
        neutral=1,
        not_with={"num_beams": "it takes two sequences for one text"},
        aliases=("cfg_scale", "cfg"),
    ),
    "negative_prompt": Setting(
        PROMPT,
        Kind.GUIDANCE,
        "the text to be guided away from; not set: the prompt's last token",
        needs=("guidance_scale",),
        aliases=("negative_prompt_ids", "cfg_negative_prompt"),
    ),
}
