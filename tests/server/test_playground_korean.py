"""The playground's Korean: it has all settings, groups and presets of the guide, and no others."""

from __future__ import annotations

import re

import pytest

from foretell.config.presets import MODEL_PRESET, PRESETS
from foretell.config.settings import GROUPS, SETTINGS
from foretell.guide.topics import setting_topic
from foretell.server.playground import FOLDER

KOREAN = FOLDER.joinpath("settings", "korean.js").read_text(encoding="utf-8")
ENTRY = re.compile(r'^  "?([^":]+)"?: (.+),$', re.MULTILINE)
HANGUL = re.compile("[가-힣]")


def table(name: str) -> dict[str, str]:
    """The entries of one of the file's tables: names and what is said of them, as JavaScript."""
    found = re.search(rf"^export const {name} = \{{\n(.*?)^\}};", KOREAN, re.MULTILINE | re.DOTALL)
    assert found is not None
    return dict(ENTRY.findall(found[1]))


def test_each_setting_is_said_in_korean_and_none_that_is_not_there():
    assert list(table("SETTINGS")) == list(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_what_low_and_high_values_lead_to_is_said_where_the_guide_says_it(name):
    said = re.findall(r'"([^"]*)"', table("SETTINGS")[name])
    topic = setting_topic(name)
    assert len(said) == 1 + bool(topic.low_effect) + bool(topic.high_effect)
    assert all(map(HANGUL.search, said))


def test_each_group_and_preset_is_said_in_korean():
    assert list(table("GROUPS")) == list(GROUPS)
    assert list(table("PRESETS")) == [*PRESETS, MODEL_PRESET]
    for said in (*table("GROUPS").values(), *table("PRESETS").values()):
        assert HANGUL.search(said)
