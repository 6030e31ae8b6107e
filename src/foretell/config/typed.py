"""The settings as keyword arguments, for type checkers and editors. Made by `make types`.

A function that hands settings on says so:

    def ask(llm: LLM, question: str, **settings: Unpack[GenerationSettings]) -> str: ...

Where they are `SampleSettings`, a prompt has one output; with `GenerationSettings` it may have
several. None takes a setting back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypedDict

from foretell.config.choices import LayerGroup, LogprobStage, Never, Scope
from foretell.config.schemas import JsonSchema
from foretell.config.validators import RepetitionDetection, Watermark


class SampleSettings(TypedDict, total=False):
    """Settings of one text: all but `num_return_sequences`."""

    do_sample: bool | None
    """draw tokens, or take the likeliest"""
    preset: str | None
    """settings for a task; what is set outright wins"""
    dialect: str | None
    """whose order, ties, scopes and defaults the settings have"""
    seed: int | None
    """fixes every random draw"""
    speculate: bool | None
    """whether tokens of this text may be guessed ahead, which changes none of them; on where
    the model was opened with speculation, and where a form leaves no choice"""
    num_beams: int | None
    """continuations kept side by side; 1 is no beam search"""
    length_penalty: float | None
    """power of the length that a beam's score is divided by"""
    early_stopping: bool | Never | None
    """when a beam search ends: on (as soon as there are num_beams texts), off (when better
    ones are unlikely) or never (only when there can be none)"""
    patience: float | None
    """a beam search ends with patience · num_beams texts"""
    num_beam_groups: int | None
    """groups that the beams are shared by"""
    diversity_penalty: float | None
    """taken off a token for each beam of an earlier group that has just said it"""
    force_words: str | Collection[str | Collection[Any]] | None
    """texts, or sequences of token ids, that must all be written, in any order; of several in
    a list one is enough"""
    stochastic_beams: bool | None
    """draw num_beams different texts: a sample without replacement"""
    penalty_alpha: float | None
    """contrastive search among top_k candidates: the weight of likeness to what was written;
    0 is off"""
    dola_layers: LayerGroup | Collection[int] | None
    """contrast the last layer with an early one: low, high or numbers of layers"""
    processors: Collection[str | Callable[..., Any]] | None
    """the whole chain, by names of settings, in this order"""
    logits_processor: Callable[..., Any] | Collection[Callable[..., Any]] | None
    """functions on a row of logits, before the samplers"""
    remove_invalid_values: bool | None
    """replace NaN and infinite logits instead of failing"""
    renormalize_logits: bool | None
    """end the chain with a log-softmax"""
    temperature: float | None
    """logits are divided by it; 0 is greedy"""
    dynatemp_range: float | None
    """how far the temperature may move with the entropy"""
    dynatemp_exponent: float | None
    """how the temperature follows the entropy"""
    top_k: int | None
    """keep the k most probable tokens; 0 is off"""
    top_p: float | None
    """keep the smallest set with this much probability; 1 is off"""
    min_p: float | None
    """keep what has this share of the best token's probability; 0 is off"""
    typical_p: float | None
    """keep this much probability, the most typical first; 1 is off"""
    epsilon_cutoff: float | None
    """keep what is at least this probable; 0 is off"""
    eta_cutoff: float | None
    """as epsilon_cutoff, but lower where the entropy is high; 0 is off"""
    top_h: float | None
    """keep the likeliest tokens up to this share of the entropy"""
    top_n_sigma: float | None
    """keep logits within n standard deviations of the largest; 0 is off"""
    min_tokens_to_keep: int | None
    """candidates that samplers leave"""
    xtc_probability: float | None
    """how often the likeliest tokens are taken out; 0 is off"""
    xtc_threshold: float | None
    """tokens this probable are the likeliest; above 0.5 is off"""
    xtc_exempt_tokens: int | Collection[int] | None
    """ids that XTC never takes out, such as the newline's"""
    mirostat: int | None
    """version of mirostat; 0 is off"""
    mirostat_tau: float | None
    """surprise to aim at, in bits"""
    mirostat_eta: float | None
    """how fast mirostat corrects itself"""
    adaptive_target: float | None
    """probability that chosen tokens should have on average"""
    adaptive_decay: float | None
    """how slowly adaptive-p forgets"""
    repetition_penalty: float | None
    """logits of seen tokens are divided (if negative, multiplied) by it"""
    frequency_penalty: float | None
    """taken off a token's logit for each time it was seen"""
    presence_penalty: float | None
    """taken off a token's logit if it was seen"""
    penalty_scope: Scope | None
    """ "prompt", "output", "all" or the last n tokens: what penalties see"""
    penalty_exempt_tokens: int | Collection[int] | None
    """ids that these penalties leave alone"""
    dry_multiplier: float | None
    """strength of the penalty on repeating a sequence; 0 is off"""
    dry_base: float | None
    """growth of that penalty with the length"""
    dry_allowed_length: int | None
    """repeated tokens that cost nothing"""
    dry_penalty_last_n: int | None
    """tokens looked back on; not set: all"""
    dry_sequence_breakers: str | Collection[str] | None
    """texts over which DRY does not look back"""
    no_repeat_ngram_size: int | None
    """no n-gram of this size comes twice; 0 is off"""
    bad_words: str | Collection[str] | None
    """texts that must not be written"""
    bad_words_ids: Collection[Collection[int]] | None
    """sequences of token ids that must not be written"""
    allowed_token_ids: int | Collection[int] | None
    """the only token ids that may be written"""
    suppress_tokens: int | Collection[int] | None
    """token ids that must not be written"""
    begin_suppress_tokens: int | Collection[int] | None
    """token ids that must not come first"""
    logit_bias: Mapping[int, float] | Mapping[str, float] | Mapping[int | str, float] | None
    """added to the logit of a token, named by id or text; -inf bans it"""
    sequence_bias: Mapping[tuple[int, ...], float] | Collection[Collection[Any]] | None
    """added to the last token's logit where the other ids have just been written"""
    watermark: Watermark | bool | Mapping[str, Any] | None
    """make some tokens likelier, by which the text can be recognized later"""
    token_healing: bool | None
    """take the prompt's last tokens back, and write them anew as part of longer ones"""
    forced_bos_token_id: int | None
    """the token id that comes first"""
    prefix_allowed_tokens_fn: Callable[..., Iterable[int]] | None
    """a function: from the ids so far to the ids allowed next"""
    guidance_scale: float | None
    """pull away from the negative prompt; 1 is off"""
    negative_prompt: str | Collection[int] | None
    """the text to be guided away from; not set: the prompt's last token"""
    json_schema: JsonSchema | Mapping[str, Any] | str | type | None
    """a JSON schema that the text follows; or a pydantic model, a dataclass, a TypedDict"""
    json: bool | None
    """whether the text is a JSON object"""
    regex: str | None
    """a regular expression that the whole text matches"""
    choices: str | Collection[str] | None
    """texts of which one is written"""
    grammar: str | None
    """a grammar that the text follows, as Lark or llama.cpp's GBNF write it"""
    structural_tag: JsonSchema | Mapping[str, Any] | str | None
    """free text, with JSON by a schema between some tags"""
    json_whitespace: str | None
    """white space in JSON: free (up to two characters), fixed (a space behind , and :) or
    compact (none)"""
    lenient: bool | None
    """pass over what of a schema cannot be held to, and check the finished text against it"""
    thinking_budget: int | None
    """tokens between <think> and </think>, which is forced behind them"""
    allow_thinking: bool | None
    """whether <think>...</think> may come before a text of a form; on in chats whose template
    tells thoughts apart"""
    max_new_tokens: int | None
    """tokens to generate at most"""
    max_length: int | None
    """tokens of prompt and output together at most"""
    min_new_tokens: int | None
    """tokens to generate at least"""
    min_length: int | None
    """tokens of prompt and output at least"""
    max_time: float | None
    """seconds after which to stop; looked at after each token, not while a prompt is read"""
    stop: str | Collection[str] | None
    """texts that end the output"""
    include_stop_str_in_output: bool | None
    """keep the text that ended the output"""
    show_special_tokens: bool | None
    """write special tokens in the text by their names; its ids have them all the same"""
    stop_regex: str | Collection[str] | None
    """regular expressions that end the output"""
    stop_token_ids: int | Collection[int] | None
    """token ids that end the output, and are no part of its text"""
    eos_token_id: int | Collection[int] | None
    """end-of-sequence ids in place of the model's own"""
    ignore_eos: bool | None
    """go on past end-of-sequence tokens"""
    forced_eos_token_id: int | Collection[int] | None
    """the token ids of which one comes last at the length limit"""
    exponential_decay_length_penalty: tuple[int, float] | None
    """(start, factor): from `start` tokens on, the end of sequence gains weight"""
    repetition_detection: RepetitionDetection | bool | Mapping[str, int] | None
    """end the output when it loops; True: when 20 tokens or fewer come 4 times over"""
    stopping_criteria: Callable[..., Any] | Collection[Callable[..., Any]] | None
    """a function: from the text and the ids so far to whether to stop"""
    logprobs: int | None
    """alternatives to report beside each chosen token"""
    logprobs_stage: LogprobStage | tuple[LogprobStage, ...] | list[LogprobStage] | None
    """ "raw" (the model), "processed" (after penalties and masks) or "final" (as drawn
    from)"""
    prompt_logprobs: int | None
    """alternatives to report beside each prompt token"""
    trace: bool | None
    """record what each processor did to each token"""


class GenerationSettings(SampleSettings, total=False):
    """What `**settings` may be: the fields of `GenerationConfig`."""

    num_return_sequences: int | None
    """samples of one prompt"""
