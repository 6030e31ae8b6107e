"""One call of generate(), from its arguments to what it returns."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from foretell.config import GenerationConfig
from foretell.config.ranges import MAX_SEED
from foretell.decoding.functions import read_function
from foretell.decoding.processors.entropy_samplers import TopH
from foretell.engine.request import Request
from foretell.engine.request_state import make_strategy
from foretell.errors import ConfigError, RequestError
from foretell.hf_generate.fields import shown
from foretell.hf_generate.functions import (
    Ends,
    OnRow,
    allowed_tokens,
    criteria_end,
    function_list,
    length_of,
    refuse_double,
    stages_of,
    suppress_second,
    text_ends,
    with_functions,
)
from foretell.hf_generate.inputs import Row, is_text, read_rows
from foretell.hf_generate.models import Source
from foretell.hf_generate.recording import Record, record_rows
from foretell.hf_generate.released import end_alike, released_kind
from foretell.hf_generate.results import GenerateOutput, beam_indices_of, sequences_of, tables_of
from foretell.hf_generate.running import Line, Stream, Text, run
from foretell.hf_generate.settings import Settings
from foretell.outputs import StopReason
from foretell.utils.tensors import Arrays, arrays_for_functions, arrays_like

STRIDE = 0x9E3779B97F4A7C15  # odd and far from round: seeds of neighbouring rows do not meet


class Call:
    """Everything that one call asks for, read and checked.

    Args:
        source: the model.
        inputs: as the user gave them.
        generation_config: the user's; None for none.
        arguments: the further arguments, all of them known.
    """

    def __init__(
        self, source: Source, inputs: Any, generation_config: Any, arguments: Mapping[str, Any]
    ) -> None:
        self._source = source
        self._arguments = arguments
        _check_arguments(arguments)
        self._criteria = function_list("stopping_criteria", arguments.get("stopping_criteria"))
        limit = length_of(self._criteria)
        stated = arguments if limit is None else _with_limit(arguments, limit)
        self._settings = settings = Settings(generation_config, stated, source.own)
        settings.warn()
        self._arrays, self._rows = self._read(inputs)
        self._length = len(self._rows[0].whole)
        limits = settings.limits(self._length, source.info.context_length)
        vocab_size = source.info.vocab_size
        self._eos = frozenset(token for token in settings.eos_token_ids if 0 <= token < vocab_size)
        if not self._eos:  # nothing is to be held back
            limits = replace(limits, min_new_tokens=0)
        self._config = settings.own_config(limits, self._length)
        self._for_functions = arrays_for_functions(self._arrays)
        self._negatives = self._read_negatives()
        self._check_ends()
        self._seed = self._choose_seed()
        self._records = self._new_records()
        self._lines = [self._line(index, row) for index, row in enumerate(self._rows)]
        for line in self._lines:
            source.client.check(line.request)

    def run(self) -> Any:
        """Generate; ids, or a GenerateOutput."""
        prompts = [row.whole for row in self._rows for _ in range(self._settings.num_samples)]
        texts = [text for line in self._lines for text in line.texts]
        filling = self._settings.filling
        stream = self._stream(texts, filling)
        if stream is not None:
            stream.begin(prompts)
        with closing(run(self._source.client, self._lines)) as steps:
            for _ in steps:
                if stream is not None:
                    stream.go_on()
        if stream is not None:
            stream.end()
        if self._settings.searches_as_released:
            end_alike(texts, self._settings.eos_token_ids)
        sequences = sequences_of(prompts, texts, filling, self._arrays)
        return self._output(sequences, texts) if self._records else sequences

    def _read(self, inputs: Any) -> tuple[Arrays, list[Row]]:
        """The rows, and what makes arrays like the inputs."""
        named = self._arguments.get("input_ids")
        if inputs is not None and named is not None:
            raise ConfigError("inputs and input_ids are both given: drop one")
        given = named if inputs is None else inputs
        pad = self._settings.pad_token_id
        if given is None:
            if self._settings["bos_token_id"] is None:
                raise RequestError("inputs=None: must be ids or text, as there is no bos_token_id")
            return self._source.arrays, [Row([int(self._settings["bos_token_id"])], [])]
        if not is_text(given):
            mask = self._arguments.get("attention_mask")
            eos = self._settings.eos_token_ids
            rows = read_rows("inputs", given, mask, pad_token_id=pad, eos_token_ids=eos)
            return arrays_like(given), rows
        if self._arguments.get("attention_mask") is not None:
            raise ConfigError("attention_mask has no meaning for text: must be None")
        texts = [given] if isinstance(given, str) else given
        tokenizer = self._tokenizer("inputs given as text")
        ids = [tokenizer.encode(text) for text in texts]
        return self._source.arrays, read_rows(
            "inputs", ids, None, pad_token_id=pad, eos_token_ids=[] if pad is None else [pad]
        )

    def _tokenizer(self, purpose: str) -> Any:
        if self._source.tokenizer is None:
            raise ConfigError(f"tokenizer=None: {purpose} must come with the model's tokenizer")
        return self._source.tokenizer

    def _read_negatives(self) -> list[Row] | None:
        """The rows that guidance pulls away from; None without guidance."""
        if self._config.guidance_scale is None:
            return None
        ids = self._arguments.get("negative_prompt_ids")
        if ids is None:
            return [Row(row.ids[-1:], []) for row in self._rows]
        mask = self._arguments.get("negative_prompt_attention_mask")
        rows = read_rows("negative_prompt_ids", ids, mask, pad_token_id=None, eos_token_ids=())
        if len(rows) != len(self._rows):
            raise RequestError(
                f"negative_prompt_ids has {len(rows)} rows: must have {len(self._rows)}, as inputs"
            )
        return rows

    def _check_ends(self) -> None:
        """Raise ConfigError for ends that are given twice, or that would leave a gap."""
        settings = self._settings
        refuse_double(self._criteria, settings.__getitem__)
        may_part = self._criteria or settings.stop_strings or self._config.max_time is not None
        are_many = len(self._rows) * settings.num_samples > 1
        if settings.filling is None and are_many and may_part:
            raise ConfigError("pad_token_id=None: must be an id, to fill up texts that end early")

    def _choose_seed(self) -> int | None:
        if not self._settings.is_sampling:
            return None
        seed = self._arguments.get("seed")
        if seed is not None:
            return GenerationConfig(do_sample=True, seed=seed).seed
        torch: Any = sys.modules.get("torch")
        if torch is None:
            return secrets.randbits(63)
        return int(torch.randint(2**63 - 1, ()))

    def _new_records(self) -> list[Record]:
        if not self._settings["return_dict_in_generate"]:
            return []
        has_beams = self._settings.num_beams > 1
        number = self._settings.num_beams if has_beams else self._settings.num_samples
        groups = (self._settings["num_beam_groups"] or 1) if has_beams else 1
        return [Record(number, has_beams=has_beams, num_groups=groups) for _ in self._rows]

    def _line(self, index: int, row: Row) -> Line:
        info = self._source.info
        request = Request(
            row.ids,
            self._chain(index, row),
            self._eos,
            negative_prompt=None if self._negatives is None else self._negatives[index].ids,
        )
        ends = [self._ends(index, row, sample) for sample in range(self._settings.num_samples)]
        if request.strategy_kind.emits and ends[0]:
            request = _with_ends(request, ends[0])
        kind = released_kind(request, self._settings.pad_token_id)
        if kind is not None:
            request = replace(request, strategy=make_strategy(request, info, kind=kind))
        if self._records and not self._settings.looks_inside:
            logits = self._settings["output_logits"] is True
            request = record_rows(request, info, self._records[index], logits=logits)
        return Line(request, ends, [Text() for _ in ends])

    def _chain(self, index: int, row: Row) -> GenerationConfig:
        """A row's own settings: its seed, and the functions in its chain."""
        config = self._config
        if self._seed is not None:
            config = config.override(seed=(self._seed + index * STRIDE) % (MAX_SEED + 1))
        processors = function_list("logits_processor", self._arguments.get("logits_processor"))
        stages = stages_of(processors, config, row, self._for_functions)
        allow = self._arguments.get("prefix_allowed_tokens_fn")
        if allow is not None:
            stages["prefix_allowed_tokens_fn"] = [
                allowed_tokens(allow, row, self._for_functions, index)
            ]
        begin = config.begin_suppress_tokens
        if begin is not None and config.forced_bos_token_id is not None:
            stages["begin_suppress_tokens"] = [suppress_second([*begin])]
        if config.top_h is not None and config.min_tokens_to_keep is not None:
            stages["top_h"] = [TopH(config.top_h)]  # transformers' keeps one token, also of beams
        return with_functions(config, stages, self._last(index))

    def _last(self, index: int) -> list[OnRow]:
        """What comes after all other processors."""
        last: list[OnRow] = []
        if self._records and self._settings["output_scores"]:
            last.append(self._records[index].keep_scores)
        return last

    def _ends(self, index: int, row: Row, sample: int) -> list[Ends]:
        ends: list[Ends] = []
        if self._settings.stop_strings:
            tokenizer = self._tokenizer("stop_strings")
            ends.append(text_ends(self._settings.stop_strings, tokenizer, row))
        criteria = [one for one in self._criteria if type(one).__name__ != "MaxLengthCriteria"]
        if criteria:

            def scores() -> Any:
                if not (self._records and self._settings["output_scores"]):
                    return None
                lines = None if self._settings.num_beams > 1 else [sample]
                return self._records[index].scores_so_far(lines, self._for_functions)

            ends.append(criteria_end(criteria, row, self._for_functions, scores))
        return ends

    def _stream(self, texts: Sequence[Text], filling: int | None) -> Stream | None:
        streamer = self._arguments.get("streamer")
        if streamer is None:
            return None
        return Stream(streamer, texts, filling, self._for_functions)

    def _output(self, sequences: Any, texts: Sequence[Text]) -> GenerateOutput:
        settings, info = self._settings, self._source.info
        for record in self._records:
            record.spread()
        tables = {
            kind: tables_of(self._records, kind, info.vocab_size, self._arrays)
            for kind in ("scores", "logits")
            if settings[f"output_{kind}"]
        }
        if settings.num_beams == 1:
            return GenerateOutput(sequences, **tables)
        ranks = None
        if settings["output_scores"]:
            ranks = self._arrays.floats(np.array([text.score for text in texts], dtype=np.float32))
        indices = beam_indices_of(self._records, texts, settings.num_beams, self._arrays)
        return GenerateOutput(sequences, ranks, beam_indices=indices, **tables)


def _check_arguments(arguments: Mapping[str, Any]) -> None:
    """Raise ConfigError for what can be neither called nor streamed to."""
    allow, streamer = arguments.get("prefix_allowed_tokens_fn"), arguments.get("streamer")
    if allow is not None:
        if not callable(allow):
            raise ConfigError(f"prefix_allowed_tokens_fn={shown(allow)} must be a function")
        read_function("prefix_allowed_tokens_fn", allow, is_transformers=True)
    methods = [getattr(streamer, name, None) for name in ("put", "end")]
    if streamer is not None and not all(callable(method) for method in methods):
        raise ConfigError(f"streamer={shown(streamer)} must have the methods put and end")


def _with_limit(arguments: Mapping[str, Any], limit: int) -> dict[str, Any]:
    return {**arguments, "max_length": limit, "max_new_tokens": None}


def _with_ends(request: Request, ends: Sequence[Ends]) -> Request:
    """Let a search know which texts end."""

    def reason(generated: Sequence[int]) -> StopReason | None:
        return StopReason("criteria") if any(end(generated) for end in ends) else None

    return replace(request, ends_text=reason)
