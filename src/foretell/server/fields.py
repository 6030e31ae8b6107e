"""Which fields a request may have, and what becomes of each.

One of these holds for a field:

- it is a route's own (`OWN`): what is asked for, and in what form;
- it is a setting, by foretell's name or by OpenAI's (`RENAMED`);
- it is harmless (`HARMLESS`): it would not change the text, and is accepted;
- it would change the text and is not supported: refused by name, unless its value asks for
  nothing (`NEUTRAL`);
- it is unknown: accepted and named in a header of the answer, or with `strict` refused.

A value of null is as if the field were absent. `docs/server.md` has these tables, made from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foretell.config.defaults import (
    ALTERNATIVES_TOKENS,
    NUM_ALTERNATIVES,
    NUM_LOGPROBS,
    NUM_NEXT,
    NUM_SEEDS,
)
from foretell.config.settings import SETTINGS
from foretell.config.values import Notation, Values
from foretell.server import limits
from foretell.server.limits import (
    ALTERNATIVES_TOP,
    MAX_METADATA,
    MAX_SEEDS,
    MAX_SEQUENCES,
    MAX_STRATEGIES,
    NEXT_TOP,
    TOP,
)
from foretell.text.tools.syntaxes import SYNTAXES

_BOTH = {
    "model": "which model is to answer, by a name that /v1/models lists",
    "stream": "whether the answer comes as it is written",
    "stream_options": "`include_usage`, `continuous_usage_stats`",
    "priority": "requests with a lower number run earlier",
    "return_token_ids": "whether the answer has the ids of prompt and text",
}

_RECEIPT = {
    "return_receipt": "whether each choice has its `receipt`, for `foretell replay`",
}

_TOOLS = {
    "tools": "functions that the model may call",
    "tool_choice": "`auto`, `none`, `required`, or one of the functions",
    "parallel_tool_calls": "whether there may be several calls in one answer (true)",
    "tool_syntax": f"how the model writes calls: {', '.join(SYNTAXES)}; its template shows which",
    "include_reasoning": "whether reasoning is told apart from the content (true)",
}

_SPECIAL = "whether a text's ids begin as the model wants it; true where there is one"

_PROMPT = {
    "prompt": "a text, or token ids",
    "messages": "a conversation in its place",
    "parse_special": "whether special tokens written out in the text count as such",
    "add_special_tokens": _SPECIAL,
    "continue_final_message": "as in chats",
    "add_generation_prompt": "as in chats",
    "chat_template_kwargs": "as in chats",
    "model": _BOTH["model"],
    "priority": _BOTH["priority"],
}

OWN: Mapping[str, Mapping[str, str]] = {
    "chat": {
        "messages": "the conversation",
        **_BOTH,
        **_RECEIPT,
        "logprobs": "whether to report log-probabilities",
        "top_logprobs": f"alternatives to report beside each token, {TOP}",
        "continue_final_message": "go on in the middle of the last message",
        "add_generation_prompt": "whether the prompt ends where the assistant's turn begins",
        "chat_template_kwargs": "further variables of the chat template",
        **_TOOLS,
    },
    "responses": {
        "input": "a text, or a list of messages",
        "instructions": "a text that comes before them, as a system message",
        **_BOTH,
        "return_receipt": "whether the response has its `receipt`, for `foretell replay`",
        "include": "`message.output_text.logprobs`: report log-probabilities",
        "top_logprobs": f"alternatives to report beside each token, {TOP}",
        "text": "`format`: `text`, `json_object` or `json_schema`",
        "reasoning": "`effort`, of which there is `none`",
        "metadata": f"up to {MAX_METADATA} short texts by name, which the answer tells again",
        "continue_final_message": "as in chats",
        "add_generation_prompt": "as in chats",
        "chat_template_kwargs": "as in chats",
        **_TOOLS,
    },
    "completions": {
        "prompt": "a text, token ids, or a list of such",
        **_BOTH,
        **_RECEIPT,
        "logprobs": f"log-probabilities with so many alternatives, {TOP}",
        "echo": "whether the text begins with the prompt",
        "suffix": "what comes after a gap: the text fills it, if the model has tokens for that",
        "add_special_tokens": _SPECIAL,
        "parse_special": "whether special tokens written out in a text count as such; true here",
    },
    "tokenize": {
        "model": _BOTH["model"],
        "prompt": "a text",
        "add_special_tokens": _SPECIAL,
        "parse_special": "whether special tokens written out count as such",
        "messages": "a conversation in its place",
        "continue_final_message": "as in chats",
        "add_generation_prompt": "as in chats",
        "chat_template_kwargs": "as in chats",
        "return_token_strs": "whether to tell the tokens as people read them",
    },
    "detokenize": {
        "model": _BOTH["model"],
        "tokens": "token ids",
        "skip_special_tokens": "whether to leave special tokens out",
    },
    "next": {**_PROMPT, "top": f"how many of the likeliest tokens, {NEXT_TOP} ({NUM_NEXT})"},
    "score": {**_PROMPT, "top": f"how many of the likeliest tokens in place of each, {TOP} (0)"},
    "explain": {
        **_PROMPT,
        "stream": _BOTH["stream"],
        "logprobs": f"alternatives to report beside each token, {TOP} ({NUM_LOGPROBS}); "
        "above 5, as many others are followed through the stages",
        "repeat_tokens": "whether a stream's end tells all tokens again; true",
    },
    "beams": {**_PROMPT, "stream": _BOTH["stream"]},
    "compare": {
        **_PROMPT,
        "stream": _BOTH["stream"],
        "strategies": "settings by the name of their strategy, "
        f"1 to {MAX_STRATEGIES}; the textbook's",
        "seeds": f"of strategies that sample: 1 to {MAX_SEEDS} seeds, or how many ({NUM_SEEDS})",
    },
    "strategy": {},
    "settings": {"model": _BOTH["model"]},
    "alternatives": {
        **_PROMPT,
        "position": "counts the prompt's tokens from 0; its end",
        "top": f"how many tokens, {ALTERNATIVES_TOP} ({NUM_ALTERNATIVES})",
        "max_new_tokens": "tokens of each continuation, "
        f"{limits.ALTERNATIVES_TOKENS} ({ALTERNATIVES_TOKENS})",
    },
}
"""The fields of each route that are no settings."""

RENAMED: Mapping[str, str] = {
    "max_tokens": "max_new_tokens",
    "max_completion_tokens": "max_new_tokens",
    "max_output_tokens": "max_new_tokens",
    "min_tokens": "min_new_tokens",
    "n": "num_return_sequences",
    "thinking_token_budget": "thinking_budget",
    "guided_json": "json_schema",
    "guided_regex": "regex",
    "guided_choice": "choices",
    "guided_grammar": "grammar",
}
"""Settings by the names of OpenAI and vLLM."""

FORM_FIELDS: Mapping[str, str] = {
    "response_format": "`text`, `json_object` or `json_schema`, as OpenAI has it: `json` or "
    "`json_schema`, and `lenient` unless it is `strict`",
    "structured_outputs": "`json`, `json_object`, `regex`, `choice`, `grammar` or "
    "`structural_tag`, as vLLM has it: the settings of these names",
}
"""Fields that stand for settings of structured output; `forms.py` reads them."""

NEWER = ("max_completion_tokens", "max_output_tokens")
"""OpenAI's newer names, which win over an older one beside them."""

HARMLESS: Mapping[str, str] = {
    **dict.fromkeys(("user", "metadata", "safety_identifier", "request_id"), "who asks"),
    **dict.fromkeys(("store", "service_tier", "prompt_cache_key"), "how it is kept"),
    **dict.fromkeys(("prompt_cache_retention", "prompt_cache_options"), "how it is kept"),
    "include_obfuscation": "how it is sent",
    "guided_decoding_backend": "which library compiles a form",
    "prediction": "how fast it is written: what is guessed of it",
    "max_tool_calls": "nothing without what it goes with",
    "verbosity": "nothing without what it goes with",
}
"""Accepted, and without effect: what each is about."""

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "modalities": (["text"],),
    "best_of": (0, 1),
    "suffix": ("",),
    "echo": (False,),
    "trace": (False,),
    "stream": (False,),
    "reasoning_effort": ("none",),
    "skip_special_tokens": (True,),
    "spaces_between_special_tokens": (True,),
    "add_special_tokens": (False,),
    "cache_salt": ("",),
    "return_tokens_as_token_ids": (False,),
    "truncation": ("disabled",),
    "use_beam_search": (False,),
    "documents": ([],),
    "logits_processors": ([],),
    **dict.fromkeys(("previous_response_id", "conversation"), ()),
    "background": (False,),
    "context_management": ([],),
    **dict.fromkeys(("audio", "web_search_options", "thinking"), ()),
    **dict.fromkeys(("truncate_prompt_tokens", "chat_template", "mm_processor_kwargs"), ()),
}
"""Fields that would change the text, and values with which they do not."""

REASONS: Mapping[str, str] = {
    "messages": "/v1/chat/completions takes them",
    "prompt": "/v1/completions takes it",
    "input": "/v1/responses takes it",
    "previous_response_id": "no response is kept: send the messages again",
    "conversation": "no conversation is kept: send the messages again",
    "background": "the answer comes in the same connection",
    "logprobs": "a response has them where `include` names message.output_text.logprobs",
    **dict.fromkeys(("tools", "tool_choice"), "chats and responses take them"),
    **dict.fromkeys(("functions", "function_call"), "send tools and tool_choice to a chat"),
    "suffix": "completions take it",
    "stream": "this answer comes as a whole",
    "trace": "POST /v1/foretell/explain tells the reasons",
    "reasoning_effort": "give the chat template its own variable in chat_template_kwargs, or set "
    "thinking_budget",
    "echo": "completions take it",
    "add_special_tokens": "it is for texts: the chat template begins the prompt of a conversation",
    "cache_salt": "whoever may ask shares the prefix cache: foretell serve --no-prefix-caching "
    "has none",
    "return_tokens_as_token_ids": "tokens are told as texts; return_token_ids has their ids",
    "truncation": "a prompt is never cut: leave out the oldest messages",
    "thinking": "thinking_budget says how many tokens may be thought",
}
"""Why a field is refused, where the table of foreign names does not say it."""

FUNCTIONS = {
    name
    for name, row in SETTINGS.items()
    if isinstance(row.values, Values) and row.values.notation is Notation.NONE
}
_REPORTS = {"logprobs", "trace"}

SENDABLE = tuple(name for name in SETTINGS if name not in FUNCTIONS | _REPORTS)
"""Settings that can be sent under their own names."""

MOST: Mapping[str, int] = {
    "num_return_sequences": MAX_SEQUENCES,
    "num_beams": MAX_SEQUENCES,
    "prompt_logprobs": TOP.high,
}
"""Bounds of numbers that are settings, where a request may not have all that the engine can do."""

SETTINGLESS = ("tokenize", "detokenize")
"""Routes to which a setting means nothing."""
