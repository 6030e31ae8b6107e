"""What a model file says of itself is checked before it is used, and named where it is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from foretell.errors import ModelFileError
from foretell.formats.metadata import MetadataReader

METADATA = {"llama.layers": 3, "llama.eps": 1, "llama.names": ["a", "b"], "llama.none": None}
CONFIG = {"model_type": "llama", "layers": 3, "none": None, "rope": {"base": 2.5}}
OF_FILE = MetadataReader.of_architecture(METADATA, "llama", "m.gguf")
OF_CONFIG = MetadataReader.of_config(CONFIG, "m/config.json")


@pytest.mark.parametrize("reader", [OF_FILE, OF_CONFIG])
def test_a_key_that_is_absent_or_null_gives_the_default(reader: MetadataReader) -> None:
    assert reader.integer("layers", 1, 9) == 3
    for key in ("none", "other"):
        assert key not in reader
        assert reader.integer(key, 1, 9, 5) == 5
        assert reader.texts(key, ["x"]) == ["x"]
        with pytest.raises(ModelFileError, match=f"{key}' is missing"):
            reader.text(key)


def test_values_have_the_type_that_is_asked_for() -> None:
    assert type(OF_FILE.number("eps", 0, 1)) is float
    assert OF_FILE.texts("names") == ["a", "b"]
    rope = OF_CONFIG.part("rope")
    assert rope is not None
    assert rope.number("base", 1, 9) == 2.5
    assert OF_CONFIG.part("none") is None


INTEGER = "an integer from 1 to 9"
NUMBER = "a number from 0 to 9"


@pytest.mark.parametrize(
    ("value", "read", "problem"),
    [
        (10, lambda r: r.integer("x", 1, 9), f" is 10: must be {INTEGER}"),
        (True, lambda r: r.integer("x", 1, 9), f" is True: must be {INTEGER}"),
        (2.0, lambda r: r.integer("x", 1, 9), f" is 2.0: must be {INTEGER}"),
        (9, lambda r: r.token_id("x", 9), " is 9: must be a token id from 0 to 8"),
        (math.nan, lambda r: r.number("x", 0, 9), f" is nan: must be {NUMBER}"),
        (math.inf, lambda r: r.number("x", 0, 9), f" is inf: must be {NUMBER}"),
        (
            10**400,
            lambda r: r.number("x", 0, 9),
            f" is an integer of about 400 digits: must be {NUMBER}",
        ),
        (False, lambda r: r.number("x", 0, 9), f" is False: must be {NUMBER}"),
        (1, lambda r: r.flag("x"), " is 1: must be true or false"),
        ([1], lambda r: r.text("x"), " is a list of 1: must be a string"),
        ("a", lambda r: r.texts("x"), " is 'a': must be a list of strings"),
        (["a", 1], lambda r: r.texts("x"), "[1] is 1: must be one of the strings"),
        (["a", "\udc80"], lambda r: r.texts("x"), r"[1] is '\udc80': must be valid UTF-8"),
        ([1, 2.5], lambda r: r.integers("x"), "[1] is 2.5: must be one of the integers"),
        ([1, True], lambda r: r.integers("x"), "[1] is True: must be one of the integers"),
        ([1, math.inf], lambda r: r.numbers("x"), "[1] is inf: must be finite"),
        ([], lambda r: r.part("x"), " is a list of 0: must be an object"),
    ],
)
def test_a_value_of_another_type_or_out_of_bounds_is_refused(
    value: Any, read: Callable[[MetadataReader], Any], problem: str
) -> None:
    with pytest.raises(ModelFileError) as error:
        read(MetadataReader({"x": value}, "m.gguf"))
    assert str(error.value) == f"m.gguf: x{problem}"


def test_keys_are_spelled_as_the_source_spells_them() -> None:
    for reader, spelled in ((OF_FILE, "metadata 'llama.layers'"), (OF_CONFIG, "'layers'")):
        with pytest.raises(ModelFileError, match=f"{spelled} is 3: must be a string"):
            reader.text("layers")
    assert str(OF_CONFIG.unsupported("a bias")) == (
        "m/config.json: a bias is not supported for architecture 'llama'"
    )


def test_an_integer_that_no_float_can_hold_is_not_finite() -> None:
    reader = MetadataReader({"x": [1.0, 10**400]}, "m.gguf")
    with pytest.raises(ModelFileError, match=r"x\[1\] is an integer of about 400 digits: must be"):
        reader.numbers("x")


def test_keys_that_nobody_asked_for_are_known() -> None:
    reader = MetadataReader.of_architecture({**METADATA, "other.key": 1}, "llama", "m.gguf")
    assert reader.integer("layers", 1, 9) == 3
    assert "eps" in reader
    assert reader.unasked == {"names": ["a", "b"], "none": None}


def test_keys_are_called_what_the_file_calls_them() -> None:
    reader = MetadataReader.of_config({"size": 0, "kinds": [1]}, "c.json", {"size": "n_embd"})
    more = reader.with_values({"kinds": [2], "depth": 0}, {"kinds": "types"})
    for one in (reader, more):
        with pytest.raises(ModelFileError, match=r"^c\.json: 'n_embd' is 0: must be an integer"):
            one.integer("size", 1, 9)
    with pytest.raises(ModelFileError, match=r"'kinds\[0\]' is 1: must be one of the strings"):
        reader.texts("kinds")
    with pytest.raises(ModelFileError, match=r"'types\[0\]' is 2: must be one of the strings"):
        more.texts("kinds")
    with pytest.raises(ModelFileError, match="'depth' is 0"):
        more.integer("depth", 1, 9)
