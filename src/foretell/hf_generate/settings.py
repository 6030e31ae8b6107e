"""generation_config and keyword arguments → the settings of one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from foretell.config import GenerationConfig
from foretell.config.validators import Watermark
from foretell.errors import ConfigError, RequestError
from foretell.hf_generate.fields import (
    BEAMS,
    FIELDS,
    HONOURED,
    RECORDS,
    SAMPLING,
    check_form,
    refuse_what_acts,
    shown,
)
from foretell.utils.display import count
from foretell.utils.quoting import quote
from foretell.utils.tensors import to_plain
from foretell.utils.warn import warn_of_setting

CONTRASTIVE = "do_sample=False, num_beams=1 and top_k above 1"
DEFAULT_TOP_K = 50
DEFAULT_NEW_TOKENS = 20
"""In force in transformers where nobody says anything."""

AS_THEY_ARE = (
    *("max_time", "repetition_penalty", "no_repeat_ngram_size", "bad_words_ids", "sequence_bias"),
    *("suppress_tokens", "begin_suppress_tokens", "forced_eos_token_id"),
    *("exponential_decay_length_penalty", "remove_invalid_values", "renormalize_logits"),
    "dola_layers",
)
"""Fields that mean the same here."""


@dataclass(frozen=True)
class Limits:
    """How many tokens may and must be generated, the same for every row."""

    max_new_tokens: int
    min_new_tokens: int


class Settings:
    """The settings of one call: what the user said, else the model's files, else the defaults.

    Args:
        config: a transformers GenerationConfig, or a mapping by its field names; None for none.
        stated: keyword arguments; they win, and None among them takes a setting back.
        own: what the model's own files say.

    Raises ConfigError for what cannot be honoured.
    """

    def __init__(self, config: Any, stated: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        given = _fields_of(config)
        _refuse_strangers(given, own)
        self._stated = stated
        values: dict[str, Any] = {"top_k": DEFAULT_TOP_K}
        values |= {name: own[name] for name in FIELDS if own.get(name) is not None}
        values |= {name: given[name] for name in FIELDS if given.get(name) is not None}
        values |= {name: stated[name] for name in FIELDS if name in stated}
        refuse_what_acts({**values, **stated})
        self._values = {name: to_plain(values.get(name)) for name in HONOURED}
        self._values["watermarking_config"] = _watermark(values.get("watermarking_config"))
        self._check_forms()

    def __getitem__(self, name: str) -> Any:
        """The value of a honoured field; None where nothing is in force."""
        return self._values[name]

    def _check_forms(self) -> None:
        """Raise ConfigError for a value of the wrong form, unless it is not in force."""
        for name in ("do_sample", "num_beams", "return_dict_in_generate"):  # say what is in force
            check_form(name, self[name])
        idle = self._idle()
        for name in HONOURED:
            if name not in idle:
                check_form(name, self[name])
        for name in RECORDS if self.looks_inside else ():
            if name not in idle and self[name]:
                search = "penalty_alpha" if self.is_contrastive else "dola_layers"
                raise ConfigError(f"{name}=True cannot be honoured beside {search}: drop one")

    def _idle(self) -> dict[str, str]:
        """Fields that change nothing, by name, for lack of another."""
        idle = {
            **({} if self.is_sampling else dict.fromkeys(self._of_draws, "do_sample=True")),
            **({} if self.num_beams > 1 else dict.fromkeys(BEAMS, "num_beams above 1")),
            **({} if self.is_contrastive else {"penalty_alpha": CONTRASTIVE}),
        }
        if not self["return_dict_in_generate"]:
            idle |= dict.fromkeys(RECORDS, "return_dict_in_generate=True")
        return idle

    @property
    def is_sampling(self) -> bool:
        """Whether tokens are drawn."""
        return self["do_sample"] is True

    @property
    def _of_draws(self) -> list[str]:
        """Fields that shape a draw, and nothing else."""
        return [name for name in SAMPLING if not (name == "top_k" and self.is_contrastive)]

    @property
    def num_beams(self) -> int:
        """1 for no beam search."""
        return 1 if self["num_beams"] is None else int(self["num_beams"])

    @property
    def is_contrastive(self) -> bool:
        """Whether contrastive search is asked for: greedy, without beams, of several candidates."""
        has_candidates = self["penalty_alpha"] and (self["top_k"] or 0) > 1
        return bool(has_candidates) and not self.is_sampling and self.num_beams == 1

    @property
    def looks_inside(self) -> bool:
        """Whether tokens depend on states inside the model."""
        return self.is_contrastive or self["dola_layers"] is not None

    @property
    def num_samples(self) -> int:
        """Texts of each row."""
        return 1 if self["num_return_sequences"] is None else int(self["num_return_sequences"])

    @property
    def eos_token_ids(self) -> list[int]:
        """Ids that end a text, in the order in which they were given."""
        found = self["eos_token_id"]
        return [found] if isinstance(found, int) else [*(found or ())]

    @property
    def pad_token_id(self) -> int | None:
        """What stands before shorter prompts and after shorter texts; by default the first eos."""
        if self["pad_token_id"] is not None:
            return int(self["pad_token_id"])
        return self.eos_token_ids[0] if self.eos_token_ids else None

    @property
    def filling(self) -> int | None:
        """What shorter texts end with. After beams, a pad token of 0 counts as none."""
        if self.num_beams > 1 and self.eos_token_ids and not self.searches_as_released:
            return self["pad_token_id"] or self.eos_token_ids[0]
        return self.pad_token_id

    @property
    def force_words(self) -> list[Any]:
        """Words that a text must have, those of `constraints` first."""
        objects = [[*map(_as_list, one.token_ids)] for one in self["constraints"] or ()]
        return [*objects, *(self["force_words_ids"] or ())]

    @property
    def searches_as_released(self) -> bool:
        """Whether the search is one that transformers had up to 4.56: diverse or constrained."""
        return bool(self.force_words) or (self["num_beam_groups"] or 1) > 1

    @property
    def stop_strings(self) -> list[str]:
        """Texts that end a text."""
        found = self["stop_strings"]
        return [found] if isinstance(found, str) else [*(found or ())]

    def warn(self) -> None:
        """Tell which of the keyword arguments change nothing for lack of another."""
        for name, host in self._idle().items():
            value = self._stated.get(name)
            if value is not None and value is not False:
                warn_of_setting(f"{name}={shown(value)} has no effect without {host}")
        if self._stated.get("max_length") is not None and self["max_new_tokens"] is not None:
            warn_of_setting(
                f"max_length={self['max_length']} has no effect beside "
                f"max_new_tokens={self['max_new_tokens']}"
            )

    def limits(self, length: int, context_length: int) -> Limits:
        """The limits for rows of `length` tokens, padding included.

        RequestError if nothing may be generated.
        """
        least = self["min_new_tokens"]
        if least is None:
            least = max(0, (self["min_length"] or 0) - length)
        most = self["max_new_tokens"]
        if most is None and self["max_length"] is None:
            most = max(1, min(DEFAULT_NEW_TOKENS, context_length - length))
            warn_of_setting(
                f"no max_new_tokens: {most} tokens are generated at most, as in transformers"
            )
        elif most is None:
            most = self["max_length"] - length
            if most < 1:
                raise RequestError(
                    f"max_length={self['max_length']} leaves nothing to generate: "
                    f"the inputs have {count(length, 'token')} already"
                )
        if least > most:
            warn_of_setting(
                f"at least {least} tokens are asked for, but {most} are generated at most"
            )
        return Limits(most, min(least, most))

    def own_config(self, limits: Limits, length: int) -> GenerationConfig:
        """The same settings in foretell's own form, for rows of `length` tokens; without a seed."""
        chosen = {name: self[name] for name in AS_THEY_ARE}
        if self.is_sampling:
            chosen |= {name: self[name] for name in SAMPLING} | self._for_draws()
        if self.num_beams > 1:
            chosen |= {name: self[name] for name in BEAMS}
            chosen["diversity_penalty"] = self["diversity_penalty"] or None
        if self.is_contrastive:
            chosen |= {name: self[name] for name in ("penalty_alpha", "top_k")}
        if chosen["bad_words_ids"]:
            ends = [[token] for token in self.eos_token_ids]  # transformers lets these be written
            left = [ids for ids in chosen["bad_words_ids"] if ids not in ends]
            chosen["bad_words_ids"] = left or None
        if length == 1:  # where transformers takes the prompt for an encoder-decoder's start
            chosen["forced_bos_token_id"] = self["forced_bos_token_id"]
        return GenerationConfig(
            **chosen,
            do_sample=self.is_sampling,
            num_beams=self.num_beams,
            force_words=self.force_words or None,
            num_return_sequences=self.num_samples,
            guidance_scale=None if self["guidance_scale"] == 1 else self["guidance_scale"],
            watermark=self["watermarking_config"],
            max_new_tokens=limits.max_new_tokens,
            min_new_tokens=limits.min_new_tokens,
        )

    def _for_draws(self) -> dict[str, Any]:
        """Cutoffs outside of 0 to 1 are off; beams keep a token beside those that end a text."""
        cutoffs = ("epsilon_cutoff", "eta_cutoff")
        off = [name for name in cutoffs if not 0 < (self[name] or 0) < 1]
        keep = max(2, 1 + len(self.eos_token_ids)) if self.num_beams > 1 else None
        return {**dict.fromkeys(off), "min_tokens_to_keep": keep}


def _as_list(value: Any) -> Any:
    return [*value] if isinstance(value, (list, tuple)) else value


def _fields_of(config: Any) -> dict[str, Any]:
    if config is None:
        return {}
    if isinstance(config, GenerationConfig):
        raise ConfigError(
            "generation_config is foretell's own: must be transformers'; LLM.generate takes it"
        )
    if not isinstance(config, Mapping) and not hasattr(config, "num_return_sequences"):
        raise ConfigError(
            f"generation_config is {type(config).__name__}: must be a transformers GenerationConfig"
        )
    stated = config if isinstance(config, Mapping) else vars(config)
    return {name: value for name, value in stated.items() if not name.startswith("_")}


def _watermark(config: Any) -> dict[str, Any] | None:
    """A WatermarkingConfig, or what one is made of; ConfigError for another kind of mark."""
    if config is None:
        return None
    found = config if isinstance(config, Mapping) else getattr(config, "to_dict", dict)()
    known = {field.name for field in fields(Watermark)}
    if not found or not found.keys() <= known:
        raise ConfigError(
            f"watermarking_config={shown(config)} cannot be honoured: must be a WatermarkingConfig"
        )
    return dict(found)


def _refuse_strangers(given: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Further entries of a config are the model's own, or nobody knows what they mean."""
    for name, value in given.items():
        if name not in FIELDS and value is not None and own.get(name) != value:
            raise ConfigError(
                f"generation_config has {quote(name)}: must be a field of transformers'"
            )


def fields_of_model(config: Any) -> dict[str, Any]:
    """What a model's own generation config says."""
    return _fields_of(config)
