"""What a config leaves out is as transformers has it, and errors name the keys that it has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from foretell.backends.native._core import Routing
from foretell.backends.native.architectures import families
from foretell.backends.native.architectures.hyperclovax import HyperCLOVAX
from foretell.backends.native.decoder_sizes import DecoderSizes
from foretell.backends.native.latent import LatentDecoder
from foretell.backends.native.model import Model
from foretell.errors import ForetellError, ModelFileError
from foretell.formats.checkpoint import Checkpoint

HEADS = 320  # all usual numbers of key and value heads divide it
UNUSUAL = {"hidden_size": 64 * HEADS, "num_attention_heads": HEADS}
NEEDED: Mapping[str, dict[str, Any]] = {
    "deepseek_v2": {"moe_intermediate_size": 1408, "num_experts_per_tok": 4},
    "dots1": {"n_routed_experts": 8, "num_experts_per_tok": 2},
    "granitemoehybrid": {"num_local_experts": 0},
}
"""What has no default with which a model could run."""

KNOWN = {
    name: family for family in families() for name in family.MODEL_TYPES if name in CONFIG_MAPPING
}
HAVE_TEXT_PARTS = [name for name in KNOWN if f"{name}_text" in KNOWN]
PLAIN = {"rope_type": "default"}


def stated_of(family: type[Model], name: str) -> dict[str, Any]:
    """What configs state in these tests: unusual sizes where a family's may be so."""
    has_unusual = issubclass(family, DecoderSizes) and not issubclass(family, LatentDecoder)
    return {**(UNUSUAL if has_unusual else {}), **NEEDED.get(name, {})}


def config_of(family: type[Model], name: str, **more: Any) -> dict[str, Any]:
    """All that transformers' config says, where this and more is stated."""
    config = CONFIG_MAPPING[name](**stated_of(family, name) | more)
    return json.loads(json.dumps(config.to_dict()))


@pytest.fixture
def read(tmp_path: Path):
    """`read(family, config)`: the model of a folder with this config."""
    save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")

    def reading(family: type[Model], config: dict[str, Any]) -> Model:
        (tmp_path / "config.json").write_text(json.dumps(config))
        with Checkpoint.open(tmp_path) as checkpoint:
            return family.from_config(checkpoint)

    return reading


def least_config(read: Any, family: type[Model], full: dict[str, Any]) -> dict[str, Any]:
    """As little of a config as the family reads."""
    name = full["model_type"]
    config = {"model_type": name, **stated_of(family, name)}
    usual = {own: one for one, own in getattr(family, "CONFIG_NAMES", {}).items()}
    while True:
        try:
            read(family, config)
        except ModelFileError as error:
            missing = re.search(r"'(\w+)' is missing$", str(error))
            if not missing:
                raise
            key = missing[1] if missing[1] in full else usual[missing[1]]
            config[key] = full[key]
        else:
            return config


def numbers(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """All that a model is told by, with where it is."""
    if isinstance(value, Routing):
        names = [name for name in dir(value) if not name.startswith("_")]
        yield path, [(name, str(getattr(value, name))) for name in names]
    elif is_dataclass(value):
        for field in fields(value):
            yield from numbers(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, np.ndarray):
        yield path, value.tolist()
    else:
        yield path, value


def told(model: Any) -> dict[str, object]:
    """The same, with a usual factor of scores spelled out where it may be stated."""
    if isinstance(model, HyperCLOVAX):
        usual = model.shape.heads.dim**-0.5
        factors = replace(model.factors, attention=model.factors.attention or usual)
        model = replace(model, factors=factors)
    return dict(numbers(model))


@pytest.mark.parametrize("name", [name for name in KNOWN if name not in HAVE_TEXT_PARTS])
def test_what_a_config_leaves_out_is_as_transformers_has_it(name: str, read: Any) -> None:
    family, full = KNOWN[name], config_of(KNOWN[name], name)
    assert told(read(family, least_config(read, family, full))) == told(read(family, full))


HAVE_ROPES = [
    name
    for name, family in KNOWN.items()
    if "rope_theta" in (config_of(family, name).get("rope_parameters") or {})
]


@pytest.mark.parametrize("key", ["rope_parameters", "rope_scaling"])
@pytest.mark.parametrize("name", HAVE_ROPES)
def test_a_base_that_rotations_leave_out_is_as_transformers_has_it(
    name: str, key: str, read: Any
) -> None:
    family, full = KNOWN[name], config_of(KNOWN[name], name, **{key: dict(PLAIN)})
    least = least_config(read, family, full) | {key: PLAIN}
    assert told(read(family, least)) == told(read(family, full))


OWN_NAMES = [
    (name, usual, own)
    for name, family in KNOWN.items()
    for usual, own in getattr(family, "CONFIG_NAMES", {}).items()
    if name not in HAVE_TEXT_PARTS
]


@pytest.mark.parametrize(("name", "usual", "own"), OWN_NAMES)
def test_an_error_names_the_key_that_the_config_has(
    name: str, usual: str, own: str, read: Any
) -> None:
    family, full = KNOWN[name], config_of(KNOWN[name], name)
    config = {key: value for key, value in full.items() if key != usual}
    with pytest.raises(ForetellError) as caught:
        read(family, config | {own: {}})
    assert f"'{own}'" in str(caught.value)
