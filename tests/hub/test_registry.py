"""The registry: names, hashes and sizes that fit together."""

from __future__ import annotations

import re

import pytest

from foretell import hub
from foretell.errors import ModelNotFoundError


@pytest.mark.parametrize("model", hub.known_models(), ids=lambda model: model.name)
def test_a_known_model_is_described_consistently(model: hub.KnownModel) -> None:
    assert model.name == model.name.lower()
    assert sum(wheel.member_size for wheel in model.wheels) == model.size
    for sha256 in (model.sha256, *(wheel.sha256 for wheel in model.wheels)):
        assert re.fullmatch(r"[0-9a-f]{64}", sha256)
    for wheel in model.wheels:
        package, version = wheel.requirement.split("==")
        assert wheel.filename.startswith(f"{package.replace('-', '_')}-{version}-")


def test_the_default_model_comes_first() -> None:
    assert hub.known_models()[0].name == hub.DEFAULT_MODEL


def test_gemma_tells_its_terms() -> None:
    assert hub.find("gemma-3-270m").terms_url is not None


def test_names_are_found_in_any_case() -> None:
    assert hub.find(" SmolLM2-135M-Instruct ").name == "smollm2-135m-instruct"


@pytest.mark.parametrize("name", ["smolm2-135m-instruct", "smol", "SMOLLM2"])
def test_an_unknown_name_gets_a_suggestion(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="did you mean 'smollm2-135m-instruct'"):
        hub.find(name)


def test_an_unknown_name_without_a_neighbour_gets_the_list() -> None:
    with pytest.raises(ModelNotFoundError, match=r"known names are smollm2.*gemma") as caught:
        hub.find("xyzzy")
    assert "did you mean" not in str(caught.value)
