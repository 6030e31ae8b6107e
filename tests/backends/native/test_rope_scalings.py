"""Rotations over a stretched context: transformers' logits past the context before."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.family_contract import load_folder, save
from support.family_files import Family, make_family, write_family
from support.kin_files import COHERE, GLM, HUNYUAN, LLAMA, NEMOTRON, PHI3
from support.llama_files import reference_logits
from support.reference_model import EXACT, assert_like_the_reference, prefill_and_decode, some_ids

from foretell.backends.native.backend import NativeBackend
from foretell.backends.native.rope_scalings import plain_frequencies
from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.gguf import GGUFFile

ORIGINAL = 32  # the tests' texts are longer
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": ORIGINAL}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0} | {
    "original_max_position_embeddings": ORIGINAL
}
BOTH: dict[str, tuple[Family, dict[str, Any]]] = {
    "linear": (LLAMA, {"rope_type": "linear", "factor": 4.0}),
    "llama3": (LLAMA, LLAMA3),
    "yarn": (LLAMA, YARN),
    "yarn by neighbours": (COHERE, YARN | {"rope_theta": 5_000.0}),
    "yarn of half a head": (NEMOTRON, YARN | {"partial_rotary_factor": 0.5}),
    "yarn of half a head by neighbours": (GLM, YARN | {"partial_rotary_factor": 0.5}),
    "yarn that compresses": (LLAMA, YARN | {"factor": 0.5}),
}
FOLDERS: dict[str, tuple[Family, dict[str, Any]]] = {
    "dynamic": (LLAMA, {"rope_type": "dynamic", "factor": 4.0}),
    "dynamic with a base of its own": (
        HUNYUAN,
        {"rope_type": "dynamic", "factor": 1.0, "alpha": 1000.0},
    ),
    "yarn with two scales": (LLAMA, YARN | {"mscale": 1.5, "mscale_all_dim": 0.7}),
    "yarn with one scale": (LLAMA, YARN | {"mscale": 1.5}),
    "yarn with a factor of its own": (LLAMA, YARN | {"attention_factor": 1.25}),
    "yarn with other turns": (LLAMA, YARN | {"beta_fast": 4.0, "beta_slow": 0.5}),
    "yarn that does not round": (LLAMA, YARN | {"truncate": False, "beta_fast": 4.0}),
    "half a head": (NEMOTRON, {"rope_type": "default", "partial_rotary_factor": 0.5}),
}


def _make(family: Family, rope: dict[str, Any]) -> Any:
    return make_family(family, rope_parameters={"rope_theta": 10_000.0} | rope)


@pytest.mark.parametrize("name", [*BOTH, *FOLDERS])
def test_folders(name: str, tmp_path: Path) -> None:
    model = _make(*(BOTH | FOLDERS)[name])
    assert_like_the_reference(load_folder(save(tmp_path, model), **EXACT), model)


@pytest.mark.parametrize("name", BOTH)
def test_files(name: str, load: Any, tmp_path: Path) -> None:
    family, rope = BOTH[name]
    model = _make(family, rope)
    assert_like_the_reference(
        load(write_family(tmp_path / "m.gguf", family, model), **EXACT), model
    )


def test_files_with_other_turns(load: Any, tmp_path: Path) -> None:
    model = _make(LLAMA, YARN | {"beta_fast": 4.0, "beta_slow": 0.5})
    turns = {"rope.scaling.yarn_beta_fast": 4.0, "rope.scaling.yarn_beta_slow": 0.5}
    path = write_family(tmp_path / "m.gguf", LLAMA, model, more=turns)
    assert_like_the_reference(load(path, **EXACT), model)


@pytest.mark.parametrize("key", ["yarn_ext_factor", "yarn_attn_factor"])
def test_a_yarn_of_another_kind_is_refused(key: str, load: Any, tmp_path: Path) -> None:
    more = {f"rope.scaling.{key}": 0.5}
    path = write_family(tmp_path / "m.gguf", LLAMA, _make(LLAMA, YARN), more=more)
    with pytest.raises(UnsupportedModelError, match=f"{key}' other than 1 is not supported"):
        load(path)


@pytest.mark.parametrize(
    ("stated", "context"), [({"factor": 40.0}, 1280), ({"factor": 2.0}, 256), ({}, 256)]
)
def test_yarn_makes_the_context_longer(
    stated: dict[str, Any], context: int, tmp_path: Path
) -> None:
    """Configs often state the context before, and what is to become of it."""
    model = _make(LLAMA, YARN | stated if stated else {"rope_type": "default"})
    assert load_folder(save(tmp_path, model)).info.context_length == context


PAIRS = 8
SHORT = [1.0 + 0.1 * pair for pair in range(PAIRS)]
LONG = [1.0 + 0.7 * pair for pair in range(PAIRS)]
LONGROPE = {"rope_type": "longrope", "short_factor": SHORT, "long_factor": LONG}
SIZES = {"max_position_embeddings": 128, "original_max_position_embeddings": ORIGINAL}


def _long(**changes: Any) -> Any:
    rope = {"rope_theta": 10_000.0} | LONGROPE | changes
    return make_family(PHI3, rope_parameters=rope, sliding_window=None, **SIZES)


def _load(kind: str, folder: Path, model: Any, **settings: Any) -> NativeBackend:
    if kind == "folder":
        return load_folder(save(folder, model), **EXACT, **settings)
    with GGUFFile.open(write_family(folder / "m.gguf", PHI3, model)) as file:
        return NativeBackend.load(file, **EXACT, **settings)


@pytest.mark.parametrize("kind", ["folder", "file"])
class TestLongRope:
    """The context that a model is loaded for says which factors it has, all along."""

    def test_a_context_within_the_original_has_the_short_ones(
        self, kind: str, tmp_path: Path
    ) -> None:
        model = _long()
        backend = _load(kind, tmp_path, model, context_length=ORIGINAL)
        ids = some_ids(model, ORIGINAL)
        logits, expected = prefill_and_decode(backend, ids, 20), reference_logits(model, ids)
        np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)

    def test_texts_past_the_original(self, kind: str, tmp_path: Path) -> None:
        model = _long()
        ids = some_ids(model, 60)
        logits = prefill_and_decode(_load(kind, tmp_path, model), ids, 40)
        np.testing.assert_allclose(logits, reference_logits(model, ids), rtol=0, atol=1e-4)

    def test_a_longer_context_has_the_long_ones_from_the_first_token(
        self, kind: str, tmp_path: Path
    ) -> None:
        model, always_long = _long(), _long(short_factor=LONG)
        ids = some_ids(model, 20)
        logits = prefill_and_decode(_load(kind, tmp_path, model), ids, 12)
        np.testing.assert_allclose(logits, reference_logits(always_long, ids), rtol=0, atol=1e-4)
        assert np.abs(logits - reference_logits(model, ids)).max() > 0.1


def _save_with(folder: Path, **changes: Any) -> Path:
    """A folder of a Phi-3 whose parameters of rotation are changed so."""
    path = save(folder, _long()) / "config.json"
    config = json.loads(path.read_text())
    config["rope_parameters"] |= changes
    path.write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("kind", ["su", "yarn"])
def test_older_names_of_longrope(kind: str, tmp_path: Path) -> None:
    model = _long()
    ids = some_ids(model, 60)
    backend = load_folder(_save_with(tmp_path, rope_type=kind), **EXACT)
    logits = prefill_and_decode(backend, ids, 40)
    np.testing.assert_allclose(logits, reference_logits(model, ids), rtol=0, atol=1e-4)


@pytest.mark.parametrize("factors", [[1.0] * 7, [0.0] * 8, [-1.0] * 8])
def test_factors_that_make_no_sense_are_refused(factors: list[float], tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="long_factor must be 8 numbers"):
        load_folder(_save_with(tmp_path, long_factor=factors))


@pytest.mark.parametrize(
    ("rope", "right"),
    [
        (YARN | {"rope_theta": 1}, "the base of rotations is 1: must exceed 1 for YaRN"),
        (YARN | {"beta_fast": 5e-324}, "'beta_fast' is 5e-324: must be a number from 0.001"),
        (YARN | {"beta_slow": 1e-9}, "'beta_slow' is 1e-09: must be a number from 0.001"),
        ({"rope_type": "dynamic", "alpha": 1e-300}, "alpha is 1e-300: must be larger"),
        (
            {"rope_type": "dynamic", "alpha": 2.0, "partial_rotary_factor": 0.125},
            "must rotate more than one",
        ),
        (LONGROPE | {"original_max_position_embeddings": 1}, "must be at least 2 for LongRoPE"),
    ],
)
def test_parameters_that_divide_by_zero_are_refused(
    rope: dict[str, Any], right: str, tmp_path: Path
) -> None:
    path = save(tmp_path, make_family(LLAMA)) / "config.json"
    config = json.loads(path.read_text()) | {"rope_parameters": rope}
    path.write_text(json.dumps(config))
    with pytest.raises(ModelFileError, match=right) as caught:
        load_folder(tmp_path)
    assert str(path) in str(caught.value)


def test_a_file_whose_yarn_has_no_base_is_refused(load: Any, tmp_path: Path) -> None:
    more = {"rope.freq_base": 1.0}
    path = write_family(tmp_path / "m.gguf", LLAMA, _make(LLAMA, YARN), more=more)
    with pytest.raises(ModelFileError, match=r"m\.gguf: the base of rotations is 1: must exceed 1"):
        load(path)


@pytest.mark.parametrize("base", [10_000.0, 100_000.0, 500_000.0, 1e6])
@pytest.mark.parametrize("rotated", [64, 128, 256])
def test_powers_are_rounded_once(base, rotated):
    """As no vectorized power of float32 promises, and they differ from one machine to another."""
    exponents = np.arange(0, rotated, 2, dtype=np.float32) / np.float32(rotated)
    exact = [Decimal(base) ** Decimal(exponent) for exponent in exponents.tolist()]
    waves = np.array([float(one) for one in exact]).astype(np.float32)
    np.testing.assert_array_equal(plain_frequencies(base, rotated), np.float32(1) / waves)
