"""`/v1/foretell/guide` tells of all settings, `/v1/foretell/settings` what some of them come to."""

from __future__ import annotations

import dataclasses
import gzip
import json

import pytest
from support.asgi import call
from support.toy import VOCAB_SIZE
from support.toy_async import run
from support.toy_server import serving

from foretell.config.dialects import DIALECTS
from foretell.config.presets import PRESETS
from foretell.config.settings import GROUPS, SETTINGS
from foretell.guide.topics import dialect_topic, preset_topic, setting_topic
from foretell.server.fields import SENDABLE
from foretell.server.options import ServerOptions
from foretell.server.views.explain import NOT_FOR_EXPLAIN

GUIDE, CHECK = "/v1/foretell/guide", "/v1/foretell/settings"
VALUES = {
    "max_length": 20,
    "num_return_sequences": 2,
    "num_beams": 2,
    "length_penalty": 1.5,
    "early_stopping": "never",
    "patience": 2.0,
    "num_beam_groups": 2,
    "diversity_penalty": 1.0,
    "force_words": ["a"],
    "stochastic_beams": True,
    "penalty_alpha": 0.6,
}
"""Of settings that an explanation does not take, values that are legal elsewhere."""


def answer(path, body=None, headers=None, **arguments):
    """A toy server's answer."""
    found = []

    async def main() -> None:
        async with serving(**arguments) as toy:
            found.append(await call(toy.app, path, body, headers=headers or {}))

    run(main)
    return found[0]


@pytest.fixture(scope="module")
def guide():
    return answer(GUIDE).data


def as_json(data):
    return json.loads(json.dumps(data))


def test_it_tells_of_each_setting_what_the_guide_tells(guide):
    assert [one["name"] for one in guide["settings"]] == [*SETTINGS]
    for told in guide["settings"]:
        topic = as_json(dataclasses.asdict(setting_topic(told["name"])))
        assert {name: told[name] for name in topic} == topic


def test_it_has_the_groups_presets_and_dialects(guide):
    assert {one["name"]: one["settings"] for one in guide["groups"]} == as_json(GROUPS)
    presets = [dataclasses.asdict(preset_topic(name)) for name in PRESETS]
    assert guide["presets"] == as_json(presets)
    dialects = [dataclasses.asdict(dialect_topic(one)) for one in DIALECTS.values()]
    assert guide["dialects"] == as_json(dialects)


def test_the_models_own_preset_is_there_where_its_files_recommend_something():
    async def main() -> None:
        async with serving() as toy:
            toy.llm.recommended["temperature"] = 0.6
            (told,) = [
                one
                for one in (await call(toy.app, GUIDE)).data["presets"]
                if one["name"] == "model"
            ]
            assert told["settings"] == {"temperature": 0.6}
            checked = await call(toy.app, CHECK, {"preset": "model", "top_k": 3})
            assert checked.data["config"]["temperature"] == 0.6

    run(main)


def test_what_can_be_sent_has_a_schema_and_the_rest_a_reason(guide):
    for told in guide["settings"]:
        assert (told["name"] in SENDABLE) == (told["schema"] is not None)
        assert (told["schema"] is None) == (told["refused"] is not None)
    assert "$ref" not in json.dumps(guide)
    (forced,) = [one for one in guide["settings"] if one["name"] == "forced_bos_token_id"]
    assert forced["schema"]["anyOf"][0]["maximum"] == VOCAB_SIZE - 1


def test_what_views_do_not_take_they_refuse(guide):
    told = {
        view: [one["name"] for one in guide["settings"] if view in one["not_for"]]
        for view in ("explain", "next")
    }
    assert set(told["explain"]) == set(NOT_FOR_EXPLAIN) == set(VALUES)

    async def main() -> None:
        async with serving() as toy:
            for name in told["explain"]:
                body = {"prompt": "the cat", name: VALUES[name]}
                if name == "penalty_alpha":
                    body["top_k"] = 4
                elif "penalty" in name or name == "early_stopping":
                    body["num_beams"] = 2
                assert (await call(toy.app, "/v1/foretell/explain", body)).status == 400, name

    run(main)
    assert {"seed", "max_new_tokens", "logprobs", "guidance_scale"} <= set(told["next"])


def test_the_settings_in_force_are_the_servers():
    options = ServerOptions(model_names=("toy",), defaults={"preset": "chat"})
    in_force = answer(GUIDE, options=options).data["in_force"]
    assert in_force == {"preset": "chat", "temperature": 0.7, "top_p": 0.9}
    assert answer(CHECK, {}, options=options).data["config"] == in_force
    assert answer(GUIDE).data["in_force"] == {}


def test_it_comes_packed_and_only_once():
    packed = answer(GUIDE, headers={"accept-encoding": "gzip, br"})
    assert packed.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.body))["object"] == "foretell.guide"
    assert len(packed.body) < 25_000
    again = answer(GUIDE, headers={"if-none-match": packed.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_settings_come_to_what_presets_and_dialects_fill_in():
    told = answer(CHECK, {"preset": "code", "dialect": "llama.cpp", "top_p": 0.5}).data
    assert told["config"] == {
        "preset": "code",
        "dialect": "llama.cpp",
        "temperature": 0.3,
        "top_k": 40,
        "top_p": 0.5,
        "min_p": 0.05,
    }
    assert told["stated"] == ["preset", "dialect", "top_p"]
    assert told["is_sampling"] is True
    assert answer(CHECK, {}).data["is_sampling"] is False


REFUSED = [
    ({"temperature": -1}, "temperature", "out of range"),
    ({"mirostat": 2, "top_k": 5}, "top_k", "contradicts mirostat"),
    ({"do_sample": False, "top_p": 0.5}, "top_p", "do_sample=False"),
    ({"xtc_threshold": 0.2}, "xtc_threshold", "has no effect without"),
    ({"n": 3}, "n", "contradicts greedy"),
    ({"min_new_tokens": 5, "max_new_tokens": 2}, "min_new_tokens", "is above"),
    ({"stop_regex": ["("]}, "stop_regex", "("),
    ({"logit_bias": {"999999": 1}}, "logit_bias", "999999"),
    ({"processors": ["top_k"], "top_k": 3, "temperature": 2}, "temperature", "processors"),
    ({"prompt": "no"}, "prompt", "/v1/completions"),
]


@pytest.mark.parametrize(("body", "param", "words"), REFUSED)
def test_what_makes_no_sense_is_refused_by_name(body, param, words):
    refused = answer(CHECK, body)
    assert refused.status == 400
    error = refused.data["error"]
    assert error["param"] == param
    assert words in error["message"]


def test_what_is_odd_earns_a_warning():
    (warning,) = answer(CHECK, {"temperature": 5}).data["warnings"]
    assert "0.1 to 2 is the useful range" in warning


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"regex": "a("}, "regex cannot be "),
        ({"grammar": "start: other"}, "grammar cannot be compiled"),
        ({"json_schema": {"items": {"uniqueItems": True}}}, "'uniqueItems' at $.items"),
        ({"json_schema": "{"}, "json_schema is no JSON: it goes wrong at line 1, column 2"),
    ],
)
def test_a_form_that_does_not_compile_is_refused_before_anything_is_written(body, message):
    refused = answer(CHECK, body)
    assert refused.status == 400
    assert message in refused.error["message"]
    assert answer(CHECK, {"regex": "a+"}).status == 200
