"""JSON files from anywhere: an object, or one sentence."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from support.checkpoint_folders import save_llama
from support.family_contract import load_folder

from foretell.errors import ForetellError, ModelFileError
from foretell.formats.json import parse_object, read_bytes


@pytest.mark.parametrize(
    "text",
    [
        r'{"a": "\ud800"}',
        r'{"\uDC80": 1}',
        r'{"a": [{"b": ["x", "\ude00\ud83d"]}]}',
    ],
)
def test_half_a_character_is_refused(text: str) -> None:
    with pytest.raises(
        ModelFileError, match=r"^f\.json .* the lone surrogate '\\u[0-9a-f]{4}'"
    ) as caught:
        parse_object(text, "f.json")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", [r'{"a": "\ud83d\ude00"}', r'{"a": "\\ud800"}', '{"a": "😀"}'])
def test_whole_characters_pass(text: str) -> None:
    assert parse_object(text, "f.json") == json.loads(text)


@pytest.mark.parametrize(
    "text", ['{"' + "a" * 5000 + '": 1, "' + "a" * 5000 + '": 2}', '{"a": ' + "9" * 5000 + "}", "["]
)
def test_what_is_no_json_is_told_in_a_line(text: str) -> None:
    with pytest.raises(ModelFileError, match=r"^f\.json is not JSON: ") as caught:
        parse_object(text, "f.json")
    assert len(str(caught.value)) < 250


@pytest.mark.skipif(not Path("/proc/self/environ").is_file(), reason="Linux has such files")
@pytest.mark.parametrize("name", ["/proc/self/environ", "/proc/kmsg"])
def test_nothing_is_read_of_a_file_that_states_no_size(name: str, tmp_path: Path) -> None:
    """Some of them never end, and this one waits for more; others are nobody's to read."""
    (tmp_path / "config.json").symlink_to(name)
    is_refused = pytest.raises(ModelFileError, match=r"config\.json cannot be read: ")
    with nullcontext() if os.access(name, os.R_OK) else is_refused:
        assert read_bytes(tmp_path / "config.json") == b""


VALUES = [
    *("1" + "0" * 400, "-1" + "0" * 400, "1e400", "-1e400", "NaN", "-Infinity", "[[[]]]", "{}"),
    *('"' + "x" * 5000 + '"', r'"\u001b[31m\n"', r'"\ud800"', "true", "-1", "0", "[1, 2]"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:12])
def test_any_value_under_any_key_is_read_or_refused(value: str, tmp_path: Path) -> None:
    """Of what a config says of a model's computation."""
    path = save_llama(tmp_path, num_hidden_layers=1) / "config.json"
    config: dict[str, Any] = json.loads(path.read_text())
    more = ("rope_scaling", "sliding_window", "quantization_config", "partial_rotary_factor")
    for key in [*config, *more]:
        marked = json.dumps(config | {key: "here"}).replace('"here"', value)
        path.write_text(marked)
        try:
            load_folder(tmp_path)
        except ForetellError as error:
            message = str(error)
            assert message.isprintable(), key
            assert len(message) < len(str(path)) + 300, key
        path.write_text(json.dumps(config))
