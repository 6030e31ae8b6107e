"""What other systems call settings and arguments, and what to write here.

Names of settings stand in the settings' own rows (`Setting.aliases`); here are the arguments of
`LLM`, and names of what is asked for in another way, or not at all. The command line reads both,
and has names of its own beside them: options of one letter (`cli/names.py`), and commands.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Collection, Iterable
from typing import ParamSpec, TypeVar

from foretell.config.settings import ALIASES, SETTINGS
from foretell.errors import UnknownNameError
from foretell.utils.quoting import quote
from foretell.utils.suggestions import did_you_mean

P = ParamSpec("P")
T = TypeVar("T")

_OPTIONS: dict[str, str] = {
    "model": "model_path model_name model_id model_name_or_path pretrained_model_name_or_path "
    "model_file gguf_file repo_id checkpoint ckpt_dir",
    "tokenizer": "tokenizer_path tokenizer_name tokenizer_name_or_path",
    "context_length": "n_ctx num_ctx ctx_size ctx_len context_size context_window max_model_len "
    "max_seq_len max_seq_length max_context_length max_context_len",
    "threads": "n_threads num_threads num_thread nthreads n_threads_batch threads_batch "
    "cpu_threads intra_threads",
    "quantize": "quantization quantization_config quant",
    "adapters": "adapter adapter_path lora lora_path lora_paths lora_modules enable_lora peft_path",
    "dtype": "torch_dtype compute_type",
    "device": "device_map",
    "kv_dtype": "kv_cache_dtype cache_type_k cache_type_v type_k type_v",
    "kv_share": "gpu_memory_utilization mem_fraction_static",
    "num_blocks": "num_gpu_blocks_override",
    "max_running": "max_num_seqs max_batch_size max_running_requests n_parallel num_parallel",
    "max_batch_tokens": "max_num_batched_tokens n_batch n_ubatch num_batch ubatch_size "
    "chunked_prefill_size prefill_step_size",
    "max_waiting": "max_queue_size max_queued_requests",
    "prefix_caching": "enable_prefix_caching cache_prompt",
}

OPTION_ALIASES: dict[str, str] = {
    name: option for option, names in _OPTIONS.items() for name in names.split()
}
"""Other systems' names of how a model is opened, and the arguments of `LLM` that they mean."""

_STREAM = "call stream(), which yields the text as it is written"
_GPU = (
    "there are no GPU layers here: foretell's own kernels run on a CPU; "
    "device='cuda' computes on torch"
)
_ONE_PROCESS = "one process runs the model"
_AT_LOAD = "there is nothing to set: weights are packed once, as the model is opened"
_DRAFT_MODEL = "a model is opened with speculation={'draft_model': NAME}"
_LOOKUP = "a model is opened with speculation='lookup', which chooses the number of tokens itself"
_GRAMMAR = "set json_schema, json, regex, choices, grammar or structural_tag"
_ROPE = "the model's own file says how positions are encoded"
_REPORT = "set logprobs, and logprobs_stage='final' for what was drawn from"
_PROMPT_TOO = "an output's text is what was written: put the prompt before it"
_QUIET = "there is nothing to set: foretell prints nothing by itself"
_NO_PADDING = "there is nothing to set: prompts of a list are not padded"
_CONFIG = "give a GenerationConfig as `config`"
_TEMPLATE = "the model's own template makes the prompt of a chat"
_TOKEN = "set HF_TOKEN in the environment, or run `hf auth login`"
_INSIDE = "what happens inside the model is not told"
_ENCODER = "there is no encoder: the prompt's tokens count for no_repeat_ngram_size as it is"
_TOOLS = "chat() takes tools and tool_choice"
_ATTENTION = "there is nothing to set: one attention runs everywhere"

NOTES: dict[str, str] = {
    **dict.fromkeys(("stream", "streamer", "streaming"), _STREAM),
    **dict.fromkeys(("n_gpu_layers", "num_gpu_layers", "gpu_layers", "num_gpu", "ngl"), _GPU),
    **dict.fromkeys(("main_gpu", "tensor_split", "split_mode", "offload_kqv"), _GPU),
    **dict.fromkeys(("tensor_parallel_size", "pipeline_parallel_size", "tp_size"), _ONE_PROCESS),
    **dict.fromkeys(("use_mmap", "use_mlock", "mmap", "mlock", "no_mmap"), _AT_LOAD),
    **dict.fromkeys(("low_cpu_mem_usage", "use_safetensors", "offload_folder"), _AT_LOAD),
    **dict.fromkeys(("flash_attn", "attn_implementation", "use_flash_attention_2"), _ATTENTION),
    **dict.fromkeys(("draft_model", "assistant_model", "speculative_model"), _DRAFT_MODEL),
    **dict.fromkeys(("speculative_config", "model_draft"), _DRAFT_MODEL),
    **dict.fromkeys(("prompt_lookup_num_tokens", "num_speculative_tokens", "draft_max"), _LOOKUP),
    **dict.fromkeys(("response_format", "guided_decoding", "structured_outputs"), _GRAMMAR),
    **dict.fromkeys(("rope_freq_base", "rope_freq_scale", "rope_scaling", "rope_theta"), _ROPE),
    **dict.fromkeys(("output_scores", "output_logits", "return_dict_in_generate"), _REPORT),
    **dict.fromkeys(("echo", "return_full_text"), _PROMPT_TOO),
    **dict.fromkeys(("verbose", "log_level", "disable_log_stats"), _QUIET),
    **dict.fromkeys(("pad_token_id", "attention_mask", "padding", "padding_side"), _NO_PADDING),
    **dict.fromkeys(("generation_config", "sampling_params", "generate_config"), _CONFIG),
    **dict.fromkeys(("chat_format", "chat_template", "chat_handler"), _TEMPLATE),
    **dict.fromkeys(("token", "hf_token", "use_auth_token"), _TOKEN),
    **dict.fromkeys(("output_attentions", "output_hidden_states"), _INSIDE),
    **dict.fromkeys(("tools", "tool_choice", "functions", "function_call"), _TOOLS),
    "messages": "chat() takes them",
    "constraints": "set force_words: texts or lists of token ids, alternatives in a list",
    "use_beam_search": "set num_beams",
    "bos_token_id": "the tokenizer begins a prompt with it, where the model wants it",
    "encoder_repetition_penalty": "for x, set repetition_penalty=1/x and penalty_scope='prompt'",
    "encoder_no_repeat_ngram_size": _ENCODER,
    "truncate_prompt_tokens": "a prompt is never cut: give the last of its token ids",
    "skip_special_tokens": "set show_special_tokens to have them in the text",
    "detokenize": "an output has its text always, and token_ids beside it",
    "top_a": "top-a sampling is not supported: min_p is nearest to it",
    "local_files_only": "set HF_HUB_OFFLINE=1 in the environment",
    "tfs_z": "tail-free sampling is not supported: min_p and top_n_sigma are nearest to it",
    "smoothing_factor": "quadratic sampling is not supported: temperature is nearest to it",
    "best_of": "set num_return_sequences and logprobs, and take the likeliest output",
    "greedy": "set do_sample=False, or no sampling setting at all",
    "stop_at_eos": "a text ends there of itself; ignore_eos=True goes on",
    "use_cache": "there is nothing to set: keys and values are always kept",
    "n_keep": "there is nothing to set: a text ends where the context is full",
    "num_keep": "there is nothing to set: a text ends where the context is full",
    "penalize_nl": "give the newline's token id in penalty_exempt_tokens",
    "trust_remote_code": "there is nothing to set: code that comes with a model is never run",
    "load_in_8bit": "here it is quantize='q8'",
    "load_in_4bit": "here it is quantize='q4'",
    "enforce_eager": "there is nothing to set: no graph is captured",
    "filename": "name the file in the model: 'org/name:file.gguf'",
    "add_special_tokens": "give token ids where a text must not begin as the tokenizer has it",
    "eos_token": "give its id as eos_token_id, or its text in stop",
    "generator": "give a number as seed",
    "batch_size": "give a list of prompts: as many run at once as there is room for",
    "cache_dir": "FORETELL_HOME and HF_HOME say where models are kept",
    "priority": "AsyncLLM's methods take it",
    "progress": "generate(), explain(), beams() and compare() take it",
}
"""Names of what is asked for in another way, or not at all; and what to do instead."""


MANY = 40
"""So many names are not listed in a message."""


def plain_name(name: str) -> str:
    """A name as it is spelled here: `--max-tokens` and `maxTokens` are `max_tokens`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.lstrip("-"))
    return parted.replace("-", "_").lower()


def known_as(name: str, known: Iterable[str]) -> str | None:
    """Which of the settings and arguments `known` here another system's name means."""
    plain = plain_name(name)
    found = ALIASES.get(plain) or OPTION_ALIASES.get(plain) or plain
    return found if found in known else None


def hint(name: str, known: Iterable[str], otherwise: str) -> str:
    """What to write in place of a name that is not among the `known` ones.

    It is another system's name of one of them, or something to be done in another way, or a slip
    of the pen; `otherwise` is said of what is none of these.
    """
    known = [*known]
    found = known_as(name, known)
    if found is not None:
        return f"here it is called {found!r}"
    plain = plain_name(name)
    if plain in NOTES:
        return NOTES[plain]
    elsewhere = _elsewhere(plain)
    if elsewhere is not None:
        return elsewhere
    return did_you_mean(name, known, otherwise)


def _elsewhere(plain: str) -> str | None:
    """Where something belongs that is known under this name, but not here."""
    if plain in OPTION_ALIASES or plain in _OPTIONS:
        return _taken_by("LLM(...)", OPTION_ALIASES.get(plain, plain), plain)
    setting = ALIASES.get(plain, plain)
    return _taken_by("generate()", setting, plain) if setting in SETTINGS else None


def _taken_by(whose: str, name: str, plain: str) -> str:
    return f"{whose} takes it" if name == plain else f"{whose} takes it, as {name!r}"


def refuse_unknown(names: Iterable[str], known: Collection[str], noun: str) -> None:
    """Raise UnknownNameError, with a hint, for the first of the names that is not known."""
    for name in names:
        if name not in known:
            listed = f"there are {', '.join(known)}"
            otherwise = listed if len(known) < MANY else "`foretell guide` lists all"
            raise UnknownNameError(f"unknown {noun} {quote(name)}: {hint(name, known, otherwise)}")


def refuses_unknown(noun: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A decorator: keywords that a function lacks raise UnknownNameError, with a hint."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        known = dict.fromkeys(_keywords(function))

        @functools.wraps(function)
        def call(*arguments: P.args, **keywords: P.kwargs) -> T:
            if not keywords.keys() <= known.keys():
                refuse_unknown(keywords, known, noun)
            return function(*arguments, **keywords)

        return call

    return decorate


def _keywords(function: Callable[..., object]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]
