"""Chats over HTTP: what they answer is what the model says alone."""

from __future__ import annotations

import math

import pytest
from support.asgi import begin, call
from support.toy_async import run, scripted, until_running
from support.toy_chat import chatting_backend
from support.toy_server import CHAT, COMPLETIONS, HELLO, serving

from foretell.server.options import ServerOptions
from foretell.text.chat.renderer import RENDERER


def test_an_answer_is_that_of_the_model_alone():
    async def main() -> None:
        async with serving(chatting_backend()) as toy:
            body = {"model": "toy", "messages": HELLO, "temperature": 0}
            answer = (await call(toy.app, CHAT, body)).data
            alone = await toy.llm.chat(HELLO)
            (choice,) = answer["choices"]
            assert choice["message"]["content"] == alone.text == "1: hello"
            assert choice["message"]["role"] == "assistant"
            assert choice["finish_reason"] == "stop"
            assert answer["object"] == "chat.completion"
            assert answer["model"] == "toy"
            assert answer["usage"]["prompt_tokens"] == alone.usage.prompt_tokens
            assert answer["usage"]["completion_tokens"] == alone.usage.completion_tokens

    run(main)


def test_a_stream_brings_the_role_of_each_choice_and_then_the_same_text():
    async def main() -> None:
        async with serving() as toy:
            body = {"messages": HELLO, "n": 3, "seed": 7, "max_tokens": 9}
            whole = (await call(toy.app, CHAT, body)).data
            body |= {"stream": True, "stream_options": {"include_usage": True}}
            stream = await call(toy.app, CHAT, body)
            *events, usage, done = stream.events
            assert done == "[DONE]"
            assert usage["choices"] == []
            assert usage["usage"] == {
                **whole["usage"],
                "prompt_tokens_details": usage["usage"]["prompt_tokens_details"],
            }
            first = [event["choices"][0] for event in events[:3]]
            assert [choice["index"] for choice in first] == [0, 1, 2]
            assert all(choice["delta"]["role"] == "assistant" for choice in first)
            texts, ends = ["", "", ""], [None, None, None]
            for event in events[3:]:
                (choice,) = event["choices"]
                texts[choice["index"]] += choice["delta"].get("content", "")
                assert ends[choice["index"]] is None
                ends[choice["index"]] = choice["finish_reason"]
            assert texts == [choice["message"]["content"] for choice in whole["choices"]]
            assert ends == ["length"] * 3
            assert len({event["id"] for event in [*events, usage]}) == 1
            assert stream.headers["cache-control"] == "no-cache"
            assert stream.headers["content-type"].startswith("text/event-stream")

    run(main)


def test_the_seed_that_was_drawn_is_told_and_repeats_the_answer():
    async def main() -> None:
        async with serving() as toy:
            body = {"messages": HELLO, "max_tokens": 12}
            first = await call(toy.app, CHAT, body)
            seed = first.data["seed"]
            assert first.headers["x-foretell-seed"] == str(seed)
            again = await call(toy.app, CHAT, {**body, "seed": seed})
            assert again.data["choices"] == first.data["choices"]

    run(main)


def test_log_probabilities_have_the_exact_bytes_of_each_token():
    async def main() -> None:
        async with serving() as toy:
            body = {"messages": HELLO, "max_tokens": 12, "seed": 3}
            body |= {"logprobs": True, "top_logprobs": 4}
            answer = (await call(toy.app, CHAT, body)).data
            alone = await toy.llm.chat(
                HELLO, max_new_tokens=12, seed=3, temperature=1.0, logprobs=4
            )
            told = answer["choices"][0]["logprobs"]["content"]
            assert [bytes(token["bytes"]) for token in told] == [
                token.bytes for token in alone.logprobs
            ]
            assert [token["logprob"] for token in told] == [
                token.logprob for token in alone.logprobs
            ]
            assert all(len(token["top_logprobs"]) == 4 for token in told)
            stream = await call(toy.app, CHAT, {**body, "stream": True})
            streamed = []
            for event in stream.events[:-1]:
                streamed += (event["choices"][0]["logprobs"] or {"content": []})["content"]
            assert streamed == told

    run(main)


def test_a_stream_tells_of_the_prompt_what_a_whole_answer_tells():
    async def main() -> None:
        async with serving() as toy:
            body = {"messages": HELLO, "n": 2, "seed": 7, "max_tokens": 4}
            body |= {"prompt_logprobs": 2, "return_token_ids": True}
            whole = (await call(toy.app, CHAT, body)).data
            events = (await call(toy.app, CHAT, {**body, "stream": True})).events[:-1]
            first, rest = events[:2], events[2:]
            assert [one["prompt_token_ids"] for one in first] == [whole["prompt_token_ids"]] * 2
            assert not any("prompt_token_ids" in one for one in rest)
            (scored,) = [one for one in events if "prompt_logprobs" in one]
            assert scored["choices"][0]["index"] == 0
            assert scored["prompt_logprobs"] == whole["prompt_logprobs"]

    run(main)


def test_null_is_as_if_a_field_were_absent():
    async def main() -> None:
        async with serving(chatting_backend()) as toy:
            names = ("stop", "n", "seed", "tools", "logit_bias", "response_format", "stream")
            body = {"messages": HELLO, "temperature": 0, **dict.fromkeys(names)}
            answer = await call(toy.app, CHAT, body)
            assert answer.data["choices"][0]["message"]["content"] == "1: hello"

    run(main)


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"response_format": {"type": "yaml"}}, "response_format"),
        ({"repeat_penalty": 1.1}, "repeat_penalty"),
        ({"add_special_tokens": True}, "add_special_tokens"),
        ({"token_healing": True}, "token_healing"),
        ({"cache_salt": "mine"}, "cache_salt"),
        ({"return_tokens_as_token_ids": True}, "return_tokens_as_token_ids"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": "many"}, "max_completion_tokens"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logprobs": 3}, "logprobs"),
        ({"n": 129}, "n"),
        ({"n": 2, "temperature": 0}, "n"),
        ({"stop": ["x"] * 33}, "stop"),
        ({"stop": "x" * 5000}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": ["include_usage"]}, "stream_options"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"model": 3}, "model"),
        ({"logit_bias": {"999999": 1}}, "logit_bias"),
        ({"stopping_criteria": "f"}, "stopping_criteria"),
        ({"trace": True}, "trace"),
        ({"priority": 1.5}, "priority"),
    ],
)
def test_what_is_refused_is_named_before_an_answer_begins(wish, param):
    async def main() -> None:
        async with serving() as toy:
            for stream in ({}, {"stream": True}):
                body = {"messages": HELLO, **stream, **wish}
                answer = await call(toy.app, CHAT, body)
                assert answer.status == 400, answer.body
                assert answer.error["type"] == "invalid_request_error"
                assert answer.error["param"] == param

    run(main)


def test_fields_that_are_unknown_are_named_in_a_header():
    async def main() -> None:
        async with serving(chatting_backend()) as toy:
            body = {"messages": HELLO, "temperature": 0, "user": "me", "frobnicate": 1, "b\n": 2}
            answer = await call(toy.app, CHAT, body)
            assert answer.status == 200
            assert answer.headers["x-foretell-ignored"] == "frobnicate, b\\n"

    run(main)


def test_no_header_of_an_answer_is_long():
    async def main() -> None:
        async with serving() as toy:
            names = {f"{index:03}{'x' * 300}": 1 for index in range(100)}
            answer = await call(toy.app, CHAT, {"messages": HELLO, "max_tokens": 1, **names})
            assert answer.status == 200
            assert sum(len(name) + len(value) for name, value in answer.headers.items()) < 3000

    run(main)


def test_what_is_unknown_in_a_message_is_named_and_what_says_nothing_is_not():
    async def main() -> None:
        part = {"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}
        empty = {"tool_calls": [], "function_call": None, "annotations": [], "prefix": False}
        messages = [
            {"role": "user", "content": "a", "id": 3},
            {"role": "assistant", "content": "b", "mood": "x", **empty},
            {"role": "user", "content": [part]},
        ]
        names = ["messages[0].id", "messages[1].mood"]
        names.append("messages[2].content[0].cache_control")
        body = {"messages": messages, "temperature": 0}
        async with serving(chatting_backend()) as toy:
            answer = await call(toy.app, CHAT, body)
            assert answer.data["choices"][0]["message"]["content"] == "2: hello"
            assert answer.headers["x-foretell-ignored"] == ", ".join(names)
            for route in ("/tokenize", "/v1/foretell/next"):
                answer = await call(toy.app, route, {"messages": messages})
                assert answer.headers["x-foretell-ignored"] == ", ".join(names)
        strict = ServerOptions(strict=True)
        async with serving(chatting_backend(), strict) as toy:
            answer = await call(toy.app, CHAT, body)
            assert (answer.status, answer.error["param"]) == (400, names[0])

    run(main)


def test_a_picture_is_refused_as_such():
    async def main() -> None:
        async with serving(options=ServerOptions(strict=True)) as toy:
            picture = {"type": "image_url", "image_url": {"url": "https://example.com"}}
            body = {"messages": [{"role": "user", "content": [picture]}]}
            answer = await call(toy.app, CHAT, body)
            assert (answer.status, answer.error["param"]) == (400, "messages")
            assert "must be 'text'" in answer.error["message"]

    run(main)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"role": "function", "content": "4", "name": "f"}, "must be 'tool'"),
        ({"role": "assistant", "content": None, "tool_calls": [{"id": "x"}]}, "must be {"),
        ({"role": "assistant", "content": "", "function_call": {"name": "f"}}, "'tool_calls'"),
    ],
)
def test_calls_in_another_form_are_refused(message, reason):
    async def main() -> None:
        async with serving() as toy:
            answer = await call(toy.app, CHAT, {"messages": [*HELLO, message]})
            assert (answer.status, answer.error["param"]) == (400, "messages")
            assert reason in answer.error["message"]

    run(main)


def test_another_model_is_not_found():
    async def main() -> None:
        async with serving() as toy:
            answer = await call(toy.app, CHAT, {"messages": HELLO, "model": "gpt-4o"})
            assert (answer.status, answer.error["code"]) == (404, "model_not_found")

    run(main)


def test_a_prompt_that_exceeds_the_context_says_so():
    async def main() -> None:
        async with serving() as toy:
            long = [{"role": "user", "content": "hello " * 2000}]
            answer = await call(toy.app, CHAT, {"messages": long, "stream": True})
            assert (answer.status, answer.error["code"]) == (400, "context_length_exceeded")

    run(main)


@pytest.mark.parametrize(
    ("path", "field"),
    [(CHAT, "messages"), ("/v1/responses", "input"), ("/v1/foretell/explain", "messages")],
)
def test_one_that_cannot_fit_is_not_even_encoded(
    path: str, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with serving() as toy:
            monkeypatch.setattr(type(toy.llm.tokenizer), "encode_parts", None)
            long = [{"role": "user", "content": "hello " * 20_000}]
            answer = await call(toy.app, path, {field: long})
            assert (answer.status, answer.error["code"]) == (400, "context_length_exceeded")
            assert answer.error["message"].startswith("the prompt is too long: a chat of 1200")

    run(main)


def test_a_message_is_continued_where_it_ends():
    async def main() -> None:
        async with serving() as toy:
            messages = [*HELLO, {"role": "assistant", "content": "the c"}]
            body = {"messages": messages, "continue_final_message": True, "return_token_ids": True}
            answer = (await call(toy.app, CHAT, {**body, "max_tokens": 3, "seed": 1})).data
            prompt = toy.llm.tokenizer.decode(answer["prompt_token_ids"], skip_special_tokens=False)
            assert prompt.endswith("the c")
            alone = await toy.llm.generate(
                answer["prompt_token_ids"], max_new_tokens=3, seed=1, temperature=1.0
            )
            assert answer["choices"][0]["token_ids"] == alone.token_ids

    run(main)


def test_beams_are_searched_and_tell_their_scores():
    async def main() -> None:
        async with serving() as toy:
            body = {"messages": HELLO, "num_beams": 4, "n": 2, "max_tokens": 5}
            answer = (await call(toy.app, CHAT, body)).data
            alone = await toy.llm.chat(HELLO, num_beams=4, num_return_sequences=2, max_new_tokens=5)
            told = [(one["message"]["content"], one["score"]) for one in answer["choices"]]
            assert told == [(output.text, output.score) for output in alone]
            assert "seed" not in answer
            stream = await call(toy.app, CHAT, {**body, "stream": True})
            texts = ["", ""]
            for event in stream.events[:-1]:
                (choice,) = event["choices"]
                texts[choice["index"]] += choice["delta"].get("content", "")
            assert texts == [output.text for output in alone]

    run(main)


def test_usage_can_be_told_with_every_chunk():
    async def main() -> None:
        async with serving() as toy:
            body = {"messages": HELLO, "max_tokens": 4, "seed": 2, "stream": True}
            body["stream_options"] = {"include_usage": True, "continuous_usage_stats": True}
            events = (await call(toy.app, CHAT, body)).events[:-1]
            counts = [event["usage"]["completion_tokens"] for event in events]
            assert counts == sorted(counts)
            assert counts[-1] == 4
            assert {event["usage"]["prompt_tokens"] for event in events} == {
                events[-1]["usage"]["prompt_tokens"]
            }

    run(main)


def test_a_client_that_leaves_ends_its_request():
    async def main() -> None:
        async with serving(scripted(context_length=4096, num_blocks=600)) as toy:
            for stream in (True, False):
                body = {"messages": HELLO, "ignore_eos": True, "stream": stream}
                gone = begin(toy.app, CHAT, body)
                await until_running(toy.llm)
                await gone.gone()
                stats = await toy.llm.stats()
                assert (stats.running, stats.waiting) == (0, 0)
                assert stats.free_blocks == stats.num_blocks
                assert b"[DONE]" not in gone.answer.body

    run(main)


def test_settings_that_leave_no_token_are_at_fault_and_not_the_model():
    async def main() -> None:
        async with serving() as toy:
            body = {"messages": HELLO, "allowed_token_ids": [65], "suppress_tokens": [65]}
            answer = await call(toy.app, CHAT, body)
            assert (answer.status, answer.error["param"]) == (400, "suppress_tokens"), answer.body

    run(main)


@pytest.mark.parametrize("streams", [True, False])
def test_what_is_odd_about_a_request_is_told_in_a_header(streams):
    async def main() -> None:
        async with serving() as toy:
            odd = {"messages": HELLO, "max_tokens": 2, "stop": "a<|end|>", "repetition_penalty": 9}
            answer = await call(toy.app, CHAT, {**odd, "stream": streams})
            told = answer.headers["x-foretell-warning"]
            assert "repetition_penalty=9 is legal" in told
            assert "is found only where" in told

    run(main)


def test_a_renderer_that_stands_still_holds_up_nothing_else():
    async def main() -> None:
        async with serving() as toy:
            body = {"messages": HELLO, "max_tokens": 2, "temperature": 0}
            assert (await call(toy.app, CHAT, body)).status == 200
            RENDERER._lock.acquire()
            try:
                RENDERER._began = 0.0
                answer = await call(toy.app, CHAT, body)
                assert (answer.status, answer.headers["retry-after"]) == (503, "5")
                assert "stands still" in answer.error["message"]
                assert "x-should-retry" not in answer.headers
                prompt = {"prompt": "a", "max_tokens": 1}
                assert (await call(toy.app, COMPLETIONS, prompt)).status == 200
            finally:
                RENDERER._began = math.inf
                RENDERER._lock.release()
            assert (await call(toy.app, CHAT, body)).status == 200

    run(main)
