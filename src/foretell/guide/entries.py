"""The guide's words on each setting. Numbers (ranges, neutral values) are `config.RANGES`'s."""

from __future__ import annotations

from dataclasses import dataclass

from foretell.config import RANGES
from foretell.config.dialects import DIALECTS
from foretell.config.presets import MODEL_PRESET, PRESETS


@dataclass(frozen=True)
class Entry:
    """What there is to say on one setting.

    Attributes:
        what: what it does; of numbers, `config.RANGES` says it.
        low, high: the effect of a low and of a high value.
        formula: x are logits, p probabilities, H the entropy in nats.
        source: where it comes from.
    """

    what: str = ""
    low: str = ""
    high: str = ""
    formula: str = ""
    source: str = ""


GROUPS: dict[str, tuple[str, ...]] = {
    "Strategy": (
        *("do_sample", "preset", "dialect", "seed", "num_return_sequences"),
        *("num_beams", "length_penalty", "early_stopping"),
        *("processors", "logits_processor", "remove_invalid_values", "renormalize_logits"),
    ),
    "Temperature": ("temperature", "dynatemp_range", "dynatemp_exponent"),
    "Samplers that cut": (
        *("top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff"),
        *("top_h", "top_n_sigma", "min_tokens_to_keep"),
    ),
    "Samplers that steer": (
        *("xtc_probability", "xtc_threshold", "xtc_exempt_tokens"),
        *("mirostat", "mirostat_tau", "mirostat_eta", "adaptive_target", "adaptive_decay"),
    ),
    "Repetition": (
        *("repetition_penalty", "frequency_penalty", "presence_penalty"),
        *("penalty_scope", "penalty_exempt_tokens"),
        *("dry_multiplier", "dry_base", "dry_allowed_length", "dry_penalty_last_n"),
        *("dry_sequence_breakers", "no_repeat_ngram_size"),
    ),
    "Words and tokens": (
        *("bad_words", "bad_words_ids", "allowed_token_ids", "suppress_tokens"),
        *("begin_suppress_tokens", "logit_bias", "sequence_bias", "forced_bos_token_id"),
        *("prefix_allowed_tokens_fn", "guidance_scale", "negative_prompt"),
    ),
    "Length and end": (
        *("max_new_tokens", "max_length", "min_new_tokens", "min_length", "max_time"),
        *("stop", "include_stop_str_in_output", "stop_regex", "stop_token_ids", "eos_token_id"),
        *("ignore_eos", "forced_eos_token_id", "exponential_decay_length_penalty"),
        *("repetition_detection", "stopping_criteria"),
    ),
    "Reports": ("logprobs", "logprobs_stage", "prompt_logprobs", "trace"),
}
"""Settings by theme, in the order of the guide and of `--help`."""

ENTRIES: dict[str, Entry] = {
    "do_sample": Entry("draw tokens, or take the likeliest"),
    "preset": Entry("settings for a task; what is set outright wins"),
    "dialect": Entry("whose order, ties, scopes and defaults the settings have"),
    "seed": Entry(formula="draw = Philox(seed, sequence, position)", source="Salmon et al. 2011"),
    "num_return_sequences": Entry(
        low="one text",
        high="many texts, for which the prompt is computed once",
        formula="sample i draws from the stream (seed, i)",
        source="transformers",
    ),
    "num_beams": Entry(
        low="one line of tokens",
        high="likelier whole texts, at the cost of so many sequences",
        formula="keep the best num_beams of all continuations by sum of log p",
        source="transformers",
    ),
    "length_penalty": Entry(
        low="short texts win",
        high="long texts win",
        formula="score = sum of log p / length ** length_penalty",
        source="Wu et al. 2016, as in transformers",
    ),
    "early_stopping": Entry(
        "when a beam search ends: on (as soon as there are num_beams texts), off (when better ones "
        "are unlikely) or never (only when there can be none)",
        source="transformers",
    ),
    "processors": Entry("the whole chain, by names of settings, in this order"),
    "logits_processor": Entry("functions on a row of logits, before the samplers"),
    "remove_invalid_values": Entry("replace NaN and infinite logits instead of failing"),
    "renormalize_logits": Entry("end the chain with a log-softmax", formula="x - ln Σ exp(x)"),
    "temperature": Entry(
        low="deterministic, repeats itself",
        high="creative, then incoherent",
        formula="p = softmax(x / T)",
        source="Ackley et al. 1985",
    ),
    "dynatemp_range": Entry(
        low="a fixed temperature",
        high="sure steps get colder, unsure ones hotter",
        formula="T' = T - r + 2r · (H / ln n)^e, never below 0",
        source="llama.cpp",
    ),
    "dynatemp_exponent": Entry(
        low="the temperature rises at little entropy",
        high="it rises only near the greatest entropy",
        source="llama.cpp",
    ),
    "top_k": Entry(
        low="safe, plain",
        high="varied",
        formula="keep x ≥ the k-th largest x",
        source="Fan et al. 2018, arXiv 1805.04833",
    ),
    "top_p": Entry(
        low="focused",
        high="varied",
        formula="keep the fewest tokens, likeliest first, with Σ p ≥ top_p",
        source="Holtzman et al. 2019, arXiv 1904.09751",
    ),
    "min_p": Entry(
        low="varied",
        high="only rivals of the best token",
        formula="keep p ≥ min_p · max p",
        source="Nguyen et al. 2024, arXiv 2407.01082",
    ),
    "typical_p": Entry(
        low="only tokens about as surprising as expected",
        high="varied",
        formula="keep the smallest |-ln p - H| first, until Σ p ≥ typical_p",
        source="Meister et al. 2022, arXiv 2202.00666",
    ),
    "epsilon_cutoff": Entry(
        low="cuts only the long tail",
        high="cuts what is merely unlikely",
        formula="keep p ≥ ε",
        source="Hewitt et al. 2022, arXiv 2210.15191",
    ),
    "eta_cutoff": Entry(
        low="cuts only the long tail",
        high="cuts more, most where the model is sure",
        formula="keep p ≥ min(ε, √ε · exp(-H))",
        source="Hewitt et al. 2022, arXiv 2210.15191",
    ),
    "top_h": Entry(
        low="focused",
        high="varied",
        formula="keep the likeliest while Σ -p ln p ≤ top_h · H",
        source="transformers",
    ),
    "top_n_sigma": Entry(
        low="close to greedy",
        high="varied; unlike top-p, the same at any temperature",
        formula="keep x ≥ max x - n · σ(x)",
        source="Tang et al. 2024, arXiv 2411.07641",
    ),
    "min_tokens_to_keep": Entry(low="samplers may cut to one", high="there is always a choice"),
    "xtc_probability": Entry(
        low="rarely leaves the beaten track",
        high="leaves it at most steps",
        formula="so often: of the tokens with p ≥ threshold keep only the least likely",
        source="p-e-w, text-generation-webui 6335",
    ),
    "xtc_threshold": Entry(
        low="takes out many tokens", high="takes out few", source="text-generation-webui 6335"
    ),
    "xtc_exempt_tokens": Entry("ids that XTC never takes out, such as the newline's"),
    "mirostat": Entry(
        formula=(
            "version 2: keep -log2 p ≤ μ, then μ -= eta · (surprise - tau), at first μ = 2 tau; "
            "version 1: top-k with a k that aims at μ bits"
        ),
        source="Basu et al. 2020, arXiv 2007.14966",
    ),
    "mirostat_tau": Entry(low="predictable", high="surprising", source="arXiv 2007.14966"),
    "mirostat_eta": Entry(low="corrects slowly", high="jumps", source="arXiv 2007.14966"),
    "adaptive_target": Entry(
        low="prefers unlikely tokens",
        high="prefers likely tokens",
        formula="x = 5 - 10 d² / (1 + d), d = |p - target| / 0.3, target corrected by past draws",
        source="llama.cpp",
    ),
    "adaptive_decay": Entry(
        low="makes up for the last token at once", high="makes up slowly", source="llama.cpp"
    ),
    "repetition_penalty": Entry(
        low="repeats itself",
        high="fewer repeats, then avoids even needed words",
        formula="x / r if x ≥ 0, else x · r, once for each seen token",
        source="Keskar et al. 2019, arXiv 1909.05858",
    ),
    "frequency_penalty": Entry(
        low="below 0 invites repeats",
        high="the more often seen, the rarer",
        formula="x - f · count",
        source="OpenAI",
    ),
    "presence_penalty": Entry(
        low="below 0 keeps to the same words",
        high="new words, new topics",
        formula="x - a if seen",
        source="OpenAI",
    ),
    "penalty_scope": Entry('"prompt", "output", "all" or the last n tokens: what penalties see'),
    "penalty_exempt_tokens": Entry("ids that these penalties leave alone"),
    "dry_multiplier": Entry(
        low="weak",
        high="no phrase comes twice",
        formula="x - multiplier · base^(L - allowed), L the length of the repeat it extends",
        source="p-e-w; llama.cpp",
    ),
    "dry_base": Entry(low="long repeats cost little more", high="long repeats soon end"),
    "dry_allowed_length": Entry(low="hits common phrases", high="only long repeats cost"),
    "dry_penalty_last_n": Entry(low="forgets early text", high="remembers early text"),
    "dry_sequence_breakers": Entry("texts over which DRY does not look back"),
    "no_repeat_ngram_size": Entry(
        low="hits common phrases",
        high="only long repeats are ruled out",
        formula="-inf for a token that would complete an n-gram already written",
        source="Paulus et al. 2017, arXiv 1705.04304",
    ),
    "bad_words": Entry("texts that must not be written"),
    "bad_words_ids": Entry("sequences of token ids that must not be written"),
    "allowed_token_ids": Entry("the only token ids that may be written"),
    "suppress_tokens": Entry("token ids that must not be written"),
    "begin_suppress_tokens": Entry("token ids that must not come first"),
    "logit_bias": Entry(
        "added to the logit of a token, named by id or text; -inf bans it",
        formula="x + bias",
        source="OpenAI",
    ),
    "sequence_bias": Entry(
        "added to the last token's logit where the other ids have just been written",
        formula="x + bias",
        source="transformers",
    ),
    "forced_bos_token_id": Entry("the token id that comes first"),
    "prefix_allowed_tokens_fn": Entry("a function: from the ids so far to the ids allowed next"),
    "guidance_scale": Entry(
        low="as without guidance",
        high="away from what the negative prompt suggests",
        formula="u + s · (c - u), on log-probabilities with (c) and without (u) the prompt",
        source="Sanchez et al. 2023, arXiv 2306.17806",
    ),
    "negative_prompt": Entry("the text to be guided away from; not set: the prompt's last token"),
    "max_new_tokens": Entry(low="cut short", high="to the end of sequence, or a full context"),
    "max_length": Entry(low="cut short", high="to the end of sequence, or a full context"),
    "min_new_tokens": Entry(low="may end at once", high="goes on, needed or not"),
    "min_length": Entry(low="may end at once", high="goes on, needed or not"),
    "max_time": Entry(low="cut short", high="as long as it takes"),
    "stop": Entry("texts that end the output"),
    "include_stop_str_in_output": Entry("keep the text that ended the output"),
    "stop_regex": Entry("regular expressions that end the output"),
    "stop_token_ids": Entry("token ids that end the output, and are no part of its text"),
    "eos_token_id": Entry("end-of-sequence ids in place of the model's own"),
    "ignore_eos": Entry("go on past end-of-sequence tokens"),
    "forced_eos_token_id": Entry("the token ids of which one comes last at the length limit"),
    "exponential_decay_length_penalty": Entry(
        "(start, factor): from `start` tokens on, the end of sequence gains weight",
        formula="x + |x| · (factor^(t - start) - 1)",
        source="transformers",
    ),
    "repetition_detection": Entry("end the output when it loops", source="vLLM"),
    "stopping_criteria": Entry("a function: from the text and the ids so far to whether to stop"),
    "logprobs": Entry(low="the chosen token alone", high="many alternatives, more output"),
    "logprobs_stage": Entry(
        '"raw" (the model), "processed" (after penalties and masks) or "final" (as drawn from)'
    ),
    "prompt_logprobs": Entry(low="the prompt's tokens alone", high="many alternatives"),
    "trace": Entry("record what each processor did to each token"),
}


NEUTRAL: dict[str, float] = {
    **dict.fromkeys(("temperature", "top_p", "typical_p", "guidance_scale"), 1),
    **dict.fromkeys(("frequency_penalty", "presence_penalty", "mirostat"), 0),
}
"""Where a setting does nothing, if `config.RANGES` has no such value, or one to be silent about."""

IF_NOT_SET: dict[str, float] = {
    "dynatemp_exponent": 1,
    "xtc_threshold": 0.1,
    "mirostat_tau": 5,
    "mirostat_eta": 0.1,
    "adaptive_decay": 0.9,
    "dry_base": 1.75,
    "dry_allowed_length": 2,
}
"""What holds where the setting that they belong to is on."""

FORMS: dict[str, str] = {
    **dict.fromkeys(
        (
            *("do_sample", "remove_invalid_values", "renormalize_logits", "ignore_eos"),
            *("include_stop_str_in_output", "trace"),
        ),
        "True or False",
    ),
    "preset": ", ".join((*PRESETS, MODEL_PRESET)),
    "dialect": ", ".join(DIALECTS),
    "processors": "names of settings, and functions",
    **dict.fromkeys(
        ("logits_processor", "prefix_allowed_tokens_fn", "stopping_criteria"), "a function"
    ),
    **dict.fromkeys(
        (
            *("xtc_exempt_tokens", "penalty_exempt_tokens", "allowed_token_ids"),
            *("suppress_tokens", "begin_suppress_tokens", "forced_eos_token_id"),
            *("stop_token_ids", "eos_token_id"),
        ),
        "token ids",
    ),
    "forced_bos_token_id": "a token id",
    "penalty_scope": "prompt, output, all or a number",
    **dict.fromkeys(("stop", "bad_words", "dry_sequence_breakers"), "texts"),
    "stop_regex": "regular expressions",
    "bad_words_ids": "lists of token ids",
    "logit_bias": "numbers by token id or text",
    "sequence_bias": "numbers by token ids",
    "negative_prompt": "a text or token ids",
    "exponential_decay_length_penalty": "start ≥ 0, factor > 0",
    "early_stopping": 'True, False or "never"',
    "repetition_detection": "True, or sizes and count",
    "logprobs_stage": "raw, processed, final",
}
"""What the values of other settings look like."""


def meaning_of(name: str) -> str:
    """What a setting does, in a few words."""
    return RANGES[name].meaning if name in RANGES else ENTRIES[name].what
