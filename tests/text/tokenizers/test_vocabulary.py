"""A vocabulary is never trusted: every field of the wrong kind is refused by name."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foretell.errors import ForetellError, ModelFileError, UnsupportedModelError
from foretell.text.tokenizer import Tokenizer
from foretell.text.tokenizers.vocabulary import MAX_TOKENS, read_vocabulary

MISSING = object()


def refuse(metadata: dict[str, Any], key: str, value: object, message: str) -> None:
    """Assert that `value` under `key` is a one-line error that names file, key and problem."""
    if value is MISSING:
        metadata.pop(f"tokenizer.{key}", None)
    else:
        metadata[f"tokenizer.{key}"] = value
    with pytest.raises(ForetellError, match=re.escape(message)) as caught:
        read_vocabulary(metadata, "m.gguf")
    assert str(caught.value).startswith("m.gguf: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def replaced(values: list[Any], index: int, value: object) -> list[Any]:
    return [*values[:index], value, *values[index + 1 :]]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("ggml.model", MISSING, "ggml.model is missing"),
        ("ggml.model", 3, "ggml.model is 3: must be a string"),
        ("ggml.pre", ["x"], "ggml.pre is a list of 1: must be a string"),
        ("ggml.tokens", MISSING, "ggml.tokens is missing or empty"),
        ("ggml.tokens", [], "ggml.tokens is missing or empty"),
        ("ggml.tokens", "abc", "ggml.tokens is 'abc': must be a list of strings"),
        ("ggml.tokens", ["a", 5], "ggml.tokens[1] is 5: must be one of the strings"),
        ("ggml.tokens", ["a", "b", "a"], "ggml.tokens[2] is 'a' like entry 0: tokens must differ"),
        ("ggml.tokens", ["a", "\udcff"], "ggml.tokens[1] is '\\udcff': must be valid UTF-8"),
        ("ggml.tokens", ["a", "b" * 2000], "ggml.tokens[1] has 2000 characters: must have at most"),
        ("ggml.token_type", [1], "ggml.token_type has 1 entries: must have 262"),
        ("ggml.token_type", 7, "ggml.token_type is 7: must be a list of integers"),
        ("ggml.token_type", [1] * 261 + [0], "ggml.token_type[261] is 0: must be 1 to 5"),
        ("ggml.token_type", [1] * 261 + [6], "ggml.token_type[261] is 6: must be 1 to 5"),
        ("ggml.token_type", [1] * 261 + [2**40], "ggml.token_type[261] is 1099511627776"),
        ("ggml.token_type", [1] * 261 + [True], "ggml.token_type[261] is True"),
        ("ggml.token_type", [1] * 261 + [1.0], "ggml.token_type[261] is 1.0"),
        ("ggml.merges", MISSING, "ggml.merges is missing"),
        ("ggml.merges", ["h e", "he"], "ggml.merges[1] is 'he': must be two tokens"),
        ("ggml.merges", ["h e", " he"], "ggml.merges[1] is ' he': must be two tokens"),
        ("ggml.merges", ["h e "], "ggml.merges[0] is 'h e ': must be two tokens"),
        ("ggml.merges", ["h o"], "ggml.merges[0] is 'h o': must be two tokens"),
        ("ggml.merges", ["he <s>"], "ggml.merges[0] is 'he <s>': must be two tokens"),
        ("ggml.merges", ["he zz"], "ggml.merges[0] is 'he zz': must be two tokens"),
        ("ggml.merges", [["h", "e"]], "ggml.merges[0] is a list of 2: must be one of the strings"),
        ("ggml.bos_token_id", 262, "ggml.bos_token_id is 262: must be a token id from 0 to 261"),
        ("ggml.eos_token_id", -1, "ggml.eos_token_id is -1: must be a token id from 0 to 261"),
        ("ggml.eot_token_id", 2**32 - 1, "ggml.eot_token_id is 4294967295: must be a token id"),
        ("ggml.eom_token_id", "x", "ggml.eom_token_id is 'x': must be an integer"),
        ("ggml.bos_token_id", True, "ggml.bos_token_id is True: must be an integer"),
        ("ggml.add_bos_token", 1, "ggml.add_bos_token is 1: must be true or false"),
        ("chat_template", 5, "chat_template is 5: must be a string"),
    ],
)
def test_byte_level_fields(
    byte_metadata: dict[str, Any], key: str, value: object, message: str
) -> None:
    refuse(byte_metadata, key, value, message)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("ggml.scores", MISSING, "ggml.scores is missing"),
        ("ggml.scores", [0.0], "ggml.scores has 1 entries: must have 267"),
        ("ggml.scores", [0.0] * 266 + [math.nan], "ggml.scores[266] is nan: must be finite"),
        ("ggml.scores", [0.0] * 266 + [math.inf], "ggml.scores[266] is inf: must be finite"),
        ("ggml.scores", [0.0] * 266 + ["1"], "ggml.scores[266] is '1': must be one of the numbers"),
        ("ggml.token_type", MISSING, "ggml.token_type is missing"),
        ("ggml.token_type", [1] * 266 + [7], "ggml.token_type[266] is 7: must be 1 to 6"),
        ("ggml.add_space_prefix", "yes", "ggml.add_space_prefix is 'yes': must be true or false"),
    ],
)
def test_sentencepiece_fields(
    piece_metadata: dict[str, Any], key: str, value: object, message: str
) -> None:
    refuse(piece_metadata, key, value, message)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("ggml.token_type", MISSING, "ggml.token_type is missing"),
        ("ggml.merges", MISSING, "ggml.merges is missing"),
        ("ggml.merges", ["h <turn|>"], "ggml.merges[0] is 'h <turn|>': must be two tokens"),
        ("ggml.bos_token_id", MISSING, "bos_token_id is missing"),
    ],
)
def test_fields_of_spaced_bpe(
    spaced_metadata: dict[str, Any], key: str, value: object, message: str
) -> None:
    refuse(spaced_metadata, key, value, message)


def test_too_many_tokens(byte_metadata: dict[str, Any]) -> None:
    tokens = ["a"] * (MAX_TOKENS + 1)
    message = f"has {MAX_TOKENS + 1} entries: must have at most {MAX_TOKENS}"
    refuse(byte_metadata, "ggml.tokens", tokens, message)


def test_a_bos_that_is_wanted_must_be_named(byte_metadata: dict[str, Any]) -> None:
    byte_metadata["tokenizer.ggml.add_bos_token"] = True
    refuse(byte_metadata, "ggml.bos_token_id", MISSING, "bos_token_id is missing")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ggml.model", "bert"),
        ("ggml.pre", "nonsense"),
        ("ggml.pre", "x" * 10_000),
    ],
)
def test_what_is_not_known_is_unsupported(
    byte_metadata: dict[str, Any], key: str, value: str
) -> None:
    byte_metadata[f"tokenizer.{key}"] = value
    with pytest.raises(UnsupportedModelError, match=rf"m\.gguf: tokenizer\.{key} is '"):
        read_vocabulary(byte_metadata, "m.gguf")


def test_all_models_are_named(byte_metadata: dict[str, Any]) -> None:
    byte_metadata["tokenizer.ggml.model"] = "bert"
    named = r"must be 'gpt2', 'llama', 'unigram' or 'gemma4'$"
    with pytest.raises(UnsupportedModelError, match=named):
        read_vocabulary(byte_metadata, "m.gguf")


@pytest.mark.parametrize("model", ["llama", "unigram"])
def test_sentencepiece_that_drops_spaces_is_unsupported(
    piece_metadata: dict[str, Any], model: str
) -> None:
    piece_metadata["tokenizer.ggml.model"] = model
    piece_metadata["tokenizer.ggml.remove_extra_whitespaces"] = True
    with pytest.raises(UnsupportedModelError, match="remove_extra_whitespaces is true"):
        read_vocabulary(piece_metadata, "m.gguf")


def test_the_file_is_not_changed(byte_metadata: dict[str, Any]) -> None:
    types = byte_metadata["tokenizer.ggml.token_type"] = [1] * 262
    read_vocabulary(byte_metadata, "m.gguf")
    assert types == [1] * 262


def test_several_tokens_may_be_empty(byte_metadata: dict[str, Any]) -> None:
    byte_metadata["tokenizer.ggml.tokens"] += ["", "", ""]
    byte_metadata["tokenizer.ggml.token_type"] += [1, 3, 4]
    vocabulary = read_vocabulary(byte_metadata, "m.gguf")
    assert len(vocabulary.tokens) == 265
    with pytest.raises(ModelFileError, match="265"):
        read_vocabulary({**byte_metadata, "tokenizer.ggml.eos_token_id": 265}, "m.gguf")


KINDS = ["byte_metadata", "piece_metadata", "spaced_metadata"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_any_damage_is_harmless_or_an_error_of_ours(
    request: pytest.FixtureRequest, data: st.DataObject, kind: str
) -> None:
    """Replace fields, or entries of lists, by anything: it loads and encodes, or is refused."""
    metadata = dict(request.getfixturevalue(kind))
    for key in data.draw(st.lists(st.sampled_from(sorted(metadata)), min_size=1, max_size=2)):
        if isinstance(metadata[key], list) and metadata[key] and data.draw(st.booleans()):
            index = data.draw(st.integers(0, len(metadata[key]) - 1))
            metadata[key] = replaced(metadata[key], index, data.draw(VALUES))
        else:
            metadata[key] = data.draw(VALUES)
    try:
        tokenizer = Tokenizer.from_gguf(metadata, source="m.gguf")
    except ForetellError:
        return
    ids = tokenizer.encode("hell é\0<s><table>", parse_special=True)
    assert all(0 <= token_id < tokenizer.vocab_size for token_id in ids)
    tokenizer.decode(ids)
