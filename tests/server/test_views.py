"""Views over HTTP: what they tell is what AsyncLLM's methods give."""

from __future__ import annotations

import json

import pytest
from support.asgi import begin, call
from support.toy import toy_tokenizer
from support.toy_async import run, scripted, until_running
from support.toy_beam_search import script as beam_script
from support.toy_server import HELLO, serving

from foretell import GenerationConfig
from foretell.server.options import ServerOptions
from foretell.text.chat.prompt import chat_prompt

VIEWS = ("next", "score", "explain", "beams", "compare", "alternatives")
PROMPT = "the cat sat"
STRATEGIES = {"greedy": {}, "warm": {"temperature": 1.3, "max_tokens": 4}}


def path(view):
    return f"/v1/foretell/{view}"


def without_times(data):
    """The same without how long it took, which is never alike."""
    if isinstance(data, dict):
        times = ("time_to_first_token", "decode_seconds", "cached_tokens")
        return {key: without_times(value) for key, value in data.items() if key not in times}
    return [*map(without_times, data)] if isinstance(data, list) else data


def as_json(data):
    return without_times(json.loads(json.dumps(data)))


SAME = [
    ("next", {}, {}),
    ("next", {"top": 3, "temperature": 0.7, "top_k": 20}, {}),
    ("score", {}, {}),
    ("score", {"top": 4}, {}),
    ("explain", {}, {}),
    ("explain", {"temperature": 1.2, "top_p": 0.9, "seed": 3, "max_new_tokens": 8}, {}),
    ("beams", {}, {}),
    ("beams", {"num_beams": 3, "num_return_sequences": 2, "max_new_tokens": 4}, {}),
    ("beams", {"num_beams": 3, "n": 2}, {"n": "num_return_sequences"}),
    ("compare", {"max_new_tokens": 6}, {}),
    ("compare", {"strategies": {"a": {}, "b": {"top_k": 5}}, "seeds": [1, 2]}, {}),
    ("compare", {"seeds": 2, "max_tokens": 5}, {"max_tokens": "max_new_tokens"}),
    ("alternatives", {}, {}),
    ("alternatives", {"position": 3, "top": 2, "max_new_tokens": 4}, {}),
]


@pytest.mark.parametrize(("view", "wishes", "renamed"), SAME)
@pytest.mark.parametrize("is_ids", [False, True])
def test_a_view_is_what_the_method_gives(view, wishes, renamed, is_ids):
    async def main() -> None:
        async with serving(scripted(beam_script)) as toy:
            prompt = toy.llm.tokenizer.encode(PROMPT) if is_ids else PROMPT
            answer = await call(toy.app, path(view), {"prompt": prompt, **wishes})
            assert answer.status == 200, answer.body
            arguments = {renamed.get(name, name): value for name, value in wishes.items()}
            found = await getattr(toy.llm, view)(prompt, **arguments)
            told = without_times(answer.data)
            assert told["object"] == f"foretell.{view}"
            expected = as_json(found.to_dict())
            for result in told.get("results", ()):
                assert result.pop("warnings") == []
            assert {name: told[name] for name in expected} == expected

    run(main)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_of_a_conversation_too(view):
    async def main() -> None:
        async with serving() as toy:
            answer = await call(toy.app, path(view), {"messages": HELLO})
            prompt = chat_prompt(toy.llm.tokenizer, HELLO)
            found = await getattr(toy.llm, view)(prompt)
            expected = as_json(found.to_dict())
            told = without_times(answer.data)
            for result in told.get("results", ()):
                del result["warnings"]
            assert {name: told[name] for name in expected} == expected

    run(main)


def test_an_explanation_streams_each_token_with_its_trace():
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": PROMPT, "max_new_tokens": 12, "temperature": 0.9, "seed": 5}
            body |= {"top_k": 40, "logprobs": 2}
            whole = (await call(toy.app, path("explain"), body)).data
            events = (await call(toy.app, path("explain"), {**body, "stream": True})).events
            *chunks, last, done = events
            assert done == "[DONE]"
            assert without_times(last) == without_times(whole)
            assert {chunk["object"] for chunk in chunks} == {"foretell.explain.chunk"}
            for name in ("steps", "logprobs", "token_ids"):
                assert [one for chunk in chunks for one in chunk[name]] == whole[name]
            assert "".join(chunk["text"] for chunk in chunks) == whole["text"]
            assert len(whole["steps"]) == 12
            assert all(step["why"] and len(step["stages"]) >= 3 for step in whole["steps"])
            assert all(len(token["top"]) == 2 for token in whole["logprobs"])

    run(main)


def test_an_explanation_tells_the_log_probabilities_of_each_stage():
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": PROMPT, "temperature": 0.9, "seed": 5, "logprobs": 1}
            body["logprobs_stage"] = ["raw", "final"]
            whole = (await call(toy.app, path("explain"), body)).data
            *chunks, last, _ = (
                await call(toy.app, path("explain"), {**body, "stream": True})
            ).events
            for stage in ("raw", "final"):
                told = whole["logprobs_by_stage"][stage]
                assert {one["stage"] for one in told} == {stage}
                assert last["logprobs_by_stage"][stage] == told
                streamed = [one for chunk in chunks for one in chunk["logprobs_by_stage"][stage]]
                assert streamed == told

    run(main)


def test_a_streams_end_does_not_repeat_its_tokens_where_that_is_not_wanted():
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": PROMPT, "temperature": 0.9, "seed": 5, "stream": True}
            *told, whole, _ = (await call(toy.app, path("explain"), body)).events
            wish = {**body, "repeat_tokens": False}
            *chunks, last, _ = (await call(toy.app, path("explain"), wish)).events
            assert chunks == told
            assert whole["text"] == last["text"]
            assert whole.keys() - last.keys() == {"logprobs", "steps"}

    run(main)


def test_what_was_infinite_is_null():
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": PROMPT, "temperature": 1, "top_k": 1, "seed": 1}
            answer = await call(toy.app, path("explain"), body)
            assert b"Infinity" not in answer.body
            assert any(None in one["logits"] for one in answer.data["steps"][0]["runners_up"])

    run(main)


@pytest.mark.parametrize("view", ["next", "explain", "beams", "compare"])
def test_what_is_odd_about_the_settings_is_told(view):
    async def main() -> None:
        async with serving() as toy:
            odd = {"repetition_penalty": 9.0}
            (expected,) = GenerationConfig(**odd).warnings
            answer = await call(toy.app, path(view), {"prompt": PROMPT, **odd})
            assert expected in answer.headers["x-foretell-warning"]
            data = answer.data
            warnings = [one["warnings"] for one in data["results"]] if view == "compare" else None
            for found in warnings or [data["warnings"]]:
                assert expected in found

    run(main)


def test_the_servers_defaults_hold_where_nothing_is_said():
    async def main() -> None:
        options = ServerOptions(defaults={"temperature": 0.5, "top_k": 3})
        async with serving(options=options) as toy:
            answer = await call(toy.app, path("next"), {"prompt": PROMPT})
            assert answer.data["candidates"] == 3
            answer = await call(toy.app, path("next"), {"prompt": PROMPT, "temperature": 1})
            assert answer.data["candidates"] > 3
            answer = await call(toy.app, path("explain"), {"prompt": PROMPT})
            assert answer.data["config"]["top_k"] == 3

    run(main)


@pytest.mark.parametrize("defaults", [{"max_new_tokens": 5000}, {"max_length": 5000}])
def test_no_default_lets_an_explanation_become_too_long(defaults, monkeypatch):
    async def main() -> None:
        monkeypatch.setattr("foretell.server.views.explain.EXPLAINED_TOKENS", 7)
        defaults_told = {**defaults, "temperature": 1.0, "ignore_eos": True}
        async with serving(options=ServerOptions(defaults=defaults_told)) as toy:
            answer = await call(toy.app, path("explain"), {"prompt": PROMPT})
            assert len(answer.data["steps"]) <= 7

    run(main)


REFUSED = [
    *((view, {"prompt": None}, "prompt") for view in VIEWS),
    *((view, {"prompt": ["a", "b"]}, "prompt") for view in VIEWS),
    *((view, {"prompt": 3}, "prompt") for view in VIEWS),
    *((view, {"messages": HELLO}, "prompt") for view in VIEWS),
    *((view, {"parse_special": 1}, "parse_special") for view in VIEWS),
    *(
        (
            view,
            {"prompt": None, "messages": HELLO, "add_special_tokens": True},
            "add_special_tokens",
        )
        for view in VIEWS
    ),
    *((view, {"priority": "high"}, "priority") for view in VIEWS),
    *((view, {"model": 3}, "model") for view in VIEWS),
    *((view, {"tools": [{}]}, "tools") for view in VIEWS),
    *((view, {"stopping_criteria": "f"}, "stopping_criteria") for view in VIEWS),
    *((view, {"temperature": -1}, "temperature") for view in VIEWS),
    *((view, {"stop": ["x"] * 33}, "stop") for view in VIEWS),
    ("next", {"top": 0}, "top"),
    ("next", {"top": 1001}, "top"),
    ("next", {"max_tokens": 3}, "max_tokens"),
    ("next", {"guidance_scale": 2}, "guidance_scale"),
    ("score", {"top": 21}, "top"),
    ("score", {"seed": 3}, "seed"),
    ("alternatives", {"top": 51}, "top"),
    ("alternatives", {"top": True}, "top"),
    ("alternatives", {"max_new_tokens": 257}, "max_new_tokens"),
    ("alternatives", {"position": -1}, "position"),
    ("alternatives", {"position": 1.5}, "position"),
    ("alternatives", {"temperature": 0.5}, "temperature"),
    ("explain", {"n": 2, "temperature": 1}, "n"),
    ("explain", {"logprobs": 21}, "logprobs"),
    ("explain", {"max_tokens": 2049}, "max_tokens"),
    ("explain", {"max_length": 30}, "max_length"),
    ("explain", {"stream": 1}, "stream"),
    ("explain", {"repeat_tokens": "no"}, "repeat_tokens"),
    ("beams", {"num_beams": 1}, "num_beams"),
    ("beams", {"num_beams": 17}, "num_beams"),
    ("beams", {"max_tokens": 257}, "max_tokens"),
    ("beams", {"max_length": 30}, "max_length"),
    ("compare", {"strategies": {}}, "strategies"),
    ("compare", {"strategies": []}, "strategies"),
    ("compare", {"strategies": {str(i): {} for i in range(17)}}, "strategies"),
    ("compare", {"strategies": {"": {}}}, "strategies"),
    ("compare", {"strategies": {"a" * 101: {}}}, "strategies"),
    ("compare", {"strategies": {"a": 3}}, "strategies"),
    ("compare", {"strategies": {"a": {"top_p": 7}}}, "strategies"),
    ("compare", {"strategies": {"a": {"tools": [{}]}}}, "strategies"),
    ("compare", {"strategies": {"a": {"max_length": 7}}}, "strategies"),
    ("compare", {"strategies": {"a": {"max_tokens": 1025}}}, "strategies"),
    ("compare", {"strategies": {"a": {"n": 2, "temperature": 1}}}, "strategies"),
    ("compare", {"seeds": 9}, "seeds"),
    ("compare", {"seeds": [*range(9)]}, "seeds"),
    ("compare", {"seeds": []}, "seeds"),
    ("compare", {"seeds": [1, 1]}, "seeds"),
    ("compare", {"seeds": ["a"]}, "seeds"),
    ("compare", {"seeds": True}, "seeds"),
]


@pytest.mark.parametrize(("view", "wish", "param"), REFUSED)
def test_what_is_refused_is_named(view, wish, param):
    async def main() -> None:
        async with serving() as toy:
            answer = await call(toy.app, path(view), {"prompt": PROMPT, **wish})
            assert (answer.status, answer.error["param"]) == (400, param), answer.body

    run(main)


@pytest.mark.parametrize("view", VIEWS)
def test_a_text_that_exceeds_the_context_is_refused(view):
    async def main() -> None:
        async with serving() as toy:
            for streams in (False, True)[: 1 + (view == "explain")]:
                body = {"prompt": "hello " * 2000, "stream": streams}
                answer = await call(toy.app, path(view), body)
                assert (answer.status, answer.error["code"]) == (400, "context_length_exceeded")

    run(main)


@pytest.mark.parametrize("view", VIEWS)
def test_what_is_unknown_is_named_in_a_header(view):
    async def main() -> None:
        async with serving() as toy:
            answer = await call(toy.app, path(view), {"prompt": PROMPT, "user": "me", "bad": 1})
            assert (answer.status, answer.headers["x-foretell-ignored"]) == (200, "bad")

    run(main)


def test_what_is_unknown_of_a_strategy_is_named_with_it():
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": PROMPT, "strategies": {"a": {"bad": 1}}}
            answer = await call(toy.app, path("compare"), body)
            assert answer.headers["x-foretell-ignored"] == "strategies.a.bad"

    run(main)


LONG = {
    "explain": {"max_new_tokens": 2000, "ignore_eos": True},
    "beams": {"max_new_tokens": 250, "num_beams": 16, "ignore_eos": True},
    "compare": {"max_new_tokens": 1000, "strategies": STRATEGIES, "ignore_eos": True},
    "alternatives": {"max_new_tokens": 250, "top": 50},
}


@pytest.mark.parametrize("view", LONG)
def test_a_client_that_leaves_ends_its_view(view):
    async def main() -> None:
        async with serving(scripted(context_length=4096, num_blocks=9000)) as toy:
            wish = LONG[view]
            strategies = wish.get("strategies", {}).values()
            if view == "compare":
                wish = {**wish, "strategies": {str(i): s for i, s in enumerate(strategies)}}
            gone = begin(toy.app, path(view), {"prompt": PROMPT, **wish})
            await until_running(toy.llm)
            await gone.gone()
            stats = await toy.llm.stats()
            assert (stats.running, stats.waiting) == (0, 0)
            assert gone.answer.body == b""

    run(main)


def test_special_tokens_count_where_that_is_asked_for():
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": "a<|end|>b", "parse_special": True}
            for view in ("next", "explain", "beams"):
                data = (await call(toy.app, path(view), body)).data
                assert len(data["prompt_token_ids"]) == 3

    run(main)


@pytest.mark.parametrize("view", VIEWS)
def test_a_text_begins_as_the_model_wants_it_unless_that_is_unwanted(view):
    async def main() -> None:
        async with serving(tokenizer=toy_tokenizer(adds_bos=True)) as toy:
            ids = toy.llm.tokenizer.encode(PROMPT, add_special_tokens=False)
            body = {"prompt": PROMPT, "add_special_tokens": False}
            answer = await call(toy.app, path(view), body)
            alone = await call(toy.app, path(view), {"prompt": ids})
            assert without_times(answer.data) == without_times(alone.data)

    run(main)


def test_an_explanation_is_as_long_as_there_is_room_for():
    async def main() -> None:
        async with serving(scripted(context_length=64, num_blocks=64)) as toy:
            answer = await call(toy.app, path("explain"), {"prompt": [1] * 62})
            alone = await toy.llm.explain([1] * 62)
            assert answer.data["token_ids"] == alone.output.token_ids
            assert len(alone.steps) == 2

    run(main)
