"""Responses over HTTP: what they answer is what the model says alone."""

from __future__ import annotations

import pytest
from support.asgi import begin, call
from support.toy_async import SCRIPT, run, scripted, until_running
from support.toy_chat import chatting_backend
from support.toy_server import HELLO, RESPONSES, client_of, serving

INCLUDE = {"include": ["message.output_text.logprobs"], "top_logprobs": 3}
ORDER = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
]


def failing(history):
    """A model whose logits go wrong."""
    row = SCRIPT(history).copy()
    if len(history) > 40:
        row[:] = float("nan")
    return row


def text_of(response):
    (item,) = response["output"]
    (part,) = item["content"]
    return part["text"]


def kinds_of(events):
    """The kinds of events, a run of the same kind as one."""
    kinds = [event["type"] for event in events]
    return [kind for kind, last in zip(kinds, [None, *kinds], strict=False) if kind != last]


def test_a_response_is_what_the_model_says_alone():
    async def main() -> None:
        async with serving(chatting_backend()) as toy:
            body = {"model": "toy", "input": "hello", "temperature": 0, "metadata": {"a": "b"}}
            answer = (await call(toy.app, RESPONSES, body)).data
            alone = await toy.llm.chat(HELLO)
            assert text_of(answer) == alone.text == "1: hello"
            assert (answer["object"], answer["status"]) == ("response", "completed")
            assert (answer["model"], answer["store"]) == ("toy", False)
            assert answer["metadata"] == {"a": "b"}
            assert answer["usage"]["input_tokens"] == alone.usage.prompt_tokens
            assert answer["usage"]["output_tokens"] == alone.usage.completion_tokens

    run(main)


@pytest.mark.parametrize(
    "items",
    [
        HELLO,
        [{"type": "message", **HELLO[0]}],
        [{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}],
        [{"role": "user", "content": [{"type": "text", "text": "hel"}], "status": "completed"}],
    ],
)
def test_an_input_may_be_items(items):
    async def main() -> None:
        async with serving(chatting_backend()) as toy:
            answer = await call(toy.app, RESPONSES, {"input": items, "temperature": 0})
            assert text_of(answer.data).startswith("1: hel")

    run(main)


def test_what_was_answered_goes_on_as_an_item():
    async def main() -> None:
        async with serving(chatting_backend()) as toy:
            body = {"input": "hello", "temperature": 0, "return_token_ids": True}
            first = (await call(toy.app, RESPONSES, body)).data
            items = [*HELLO, *first["output"], {"role": "user", "content": "hi"}]
            body |= {"input": items, "instructions": "Be brief.", "max_output_tokens": 40}
            second = (await call(toy.app, RESPONSES, body)).data
            messages = [
                {"role": "system", "content": "Be brief."},
                *HELLO,
                {"role": "assistant", "content": "1: hello"},
                {"role": "user", "content": "hi"},
            ]
            alone = await toy.llm.chat(messages)
            assert text_of(second) == alone.text == "2: hi"
            assert second["prompt_token_ids"] == alone.prompt_token_ids
            assert second["output"][0]["content"][0]["token_ids"] == alone.token_ids
            assert second["instructions"] == "Be brief."

    run(main)


@pytest.mark.parametrize("wishes", [{}, INCLUDE])
def test_a_stream_has_its_events_in_order_and_ends_with_the_same_response(wishes):
    async def main() -> None:
        async with serving() as toy:
            body = {"input": "hello", "max_output_tokens": 12, "seed": 5, **wishes}
            whole = (await call(toy.app, RESPONSES, body)).data
            answer = await call(toy.app, RESPONSES, {**body, "stream": True})
            events = answer.events
            assert [event["sequence_number"] for event in events] == [*range(len(events))]
            assert kinds_of(events) == [*ORDER, "response.incomplete"]
            lines = answer.body.decode().split("\n")
            named = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
            assert named == [event["type"] for event in events]
            deltas = [event for event in events if event["type"].endswith("text.delta")]
            assert "".join(event["delta"] for event in deltas) == text_of(whole)
            told = [token for event in deltas for token in event["logprobs"]]
            assert told == whole["output"][0]["content"][0]["logprobs"]
            assert len(told) == (12 if wishes else 0)
            for response in (whole, events[-1]["response"]):
                assert response["incomplete_details"] == {"reason": "max_output_tokens"}
                made_up = ("id", "created_at", "usage")
                response.update(dict.fromkeys(made_up))
                response["output"][0]["id"] = None
            assert events[-1]["response"] == whole

    run(main)


def test_log_probabilities_are_the_models():
    async def main() -> None:
        async with serving() as toy:
            body = {"input": "hello", "max_output_tokens": 9, "seed": 3, **INCLUDE}
            answer = (await call(toy.app, RESPONSES, body)).data
            alone = await toy.llm.chat(HELLO, max_new_tokens=9, seed=3, temperature=1.0, logprobs=3)
            told = answer["output"][0]["content"][0]["logprobs"]
            assert [(bytes(one["bytes"]), one["logprob"]) for one in told] == [
                (one.bytes, one.logprob) for one in alone.logprobs
            ]
            assert all(len(one["top_logprobs"]) == 3 for one in told)
            assert answer["top_logprobs"] == 3

    run(main)


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 3}, "input"),
        ({"truncation": "auto"}, "truncation"),
        ({"input": ["hello"]}, "input"),
        ({"input": [{"type": "function_call_output", "output": 3}]}, "input"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": "["}]}, "input"),
        ({"input": [{"type": "function_call", "arguments": "{}"}]}, "input"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input"),
        ({"input": [{"role": "user"}]}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": 3}]}]}, "input"),
        ({"instructions": ["x"]}, "instructions"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"reasoning": {"effort": "low"}}, "reasoning"),
        ({"reasoning": "low"}, "reasoning"),
        ({"text": {"format": {"type": "yaml"}}}, "text"),
        ({"text": "plain"}, "text"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"messages": HELLO}, "messages"),
        ({"include": "all"}, "include"),
        ({"include": [3]}, "include"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({**INCLUDE, "top_logprobs": 21}, "top_logprobs"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"metadata": {"a" * 65: "x"}}, "metadata"),
        ({"metadata": {str(i): "x" for i in range(17)}}, "metadata"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": -1}, "temperature"),
        ({"n": 2}, "n"),
        ({"num_beams": 3, "num_return_sequences": 2}, "num_return_sequences"),
        ({"logprobs": 3}, "logprobs"),
    ],
)
def test_what_is_refused_is_named(wish, param):
    async def main() -> None:
        async with serving() as toy:
            answer = await call(toy.app, RESPONSES, {"input": "hello", **wish})
            assert (answer.status, answer.error["param"]) == (400, param), answer.body

    run(main)


@pytest.mark.parametrize(
    "wish",
    [
        {"tools": [], "tool_choice": "auto", "parallel_tool_calls": False, "max_tool_calls": 3},
        {"text": {"format": {"type": "text"}, "verbosity": "low"}, "store": True, "user": "me"},
        {"reasoning": {"effort": None, "summary": "auto"}, "background": False},
        {"include": ["reasoning.encrypted_content"], "top_logprobs": 0, "truncation": "disabled"},
        dict.fromkeys(("instructions", "metadata", "include", "reasoning", "text", "conversation")),
    ],
)
def test_what_asks_for_nothing_is_accepted(wish):
    async def main() -> None:
        async with serving(chatting_backend()) as toy:
            answer = await call(toy.app, RESPONSES, {"input": "hello", "temperature": 0, **wish})
            assert text_of(answer.data) == "1: hello"
            assert "x-foretell-ignored" not in answer.headers

    run(main)


def test_what_is_unknown_is_named_in_a_header():
    async def main() -> None:
        async with serving(chatting_backend()) as toy:
            body = {"input": "hello", "include": ["x.y"], "text": {"z": 1}, "temperature": 0}
            answer = await call(toy.app, RESPONSES, body)
            assert answer.headers["x-foretell-ignored"] == "text.z, include.x.y"
            part = {"type": "input_text", "text": "hello", "b": 1, "annotations": [3]}
            item = {"role": "user", "content": [part], "id": "msg_1", "a": 1, "tool_calls": []}
            answer = await call(toy.app, RESPONSES, {**body, "input": [item]})
            told = "input[0].a, input[0].content[0].b, text.z, include.x.y"
            assert answer.headers["x-foretell-ignored"] == told

    run(main)


def test_beams_and_the_prompts_log_probabilities_are_told():
    async def main() -> None:
        async with serving() as toy:
            body = {"input": "hello", "num_beams": 3, "max_output_tokens": 5, "prompt_logprobs": 1}
            answer = (await call(toy.app, RESPONSES, body)).data
            alone = await toy.llm.chat(HELLO, num_beams=3, max_new_tokens=5, prompt_logprobs=1)
            assert (text_of(answer), answer["score"]) == (alone.text, alone.score)
            told = answer["prompt_logprobs"]
            assert len(told) == len(alone.prompt_logprobs)
            for entry, token in zip(told[1:], alone.prompt_logprobs[1:], strict=True):
                assert entry[str(token.token_id)]["logprob"] == token.logprob

    run(main)


def test_a_failure_in_the_middle_of_a_stream_is_told_in_both_forms():
    async def main() -> None:
        async with serving(scripted(failing)) as toy:
            body = {"input": "hello", "ignore_eos": True, "stream": True}
            events = (await call(toy.app, RESPONSES, body)).events
            failed, error = events[-2:]
            assert failed["type"] == "response.failed"
            assert failed["response"]["status"] == "failed"
            assert failed["response"]["error"]["code"] == "server_error"
            assert error["type"] == "error"
            assert error["error"]["message"] == error["message"]
            assert "NaN" in error["message"]

    run(main)


@pytest.mark.parametrize("streams", [True, False])
def test_a_client_that_leaves_ends_its_request(streams):
    async def main() -> None:
        async with serving(scripted(context_length=4096, num_blocks=600)) as toy:
            gone = begin(
                toy.app, RESPONSES, {"input": "hello", "ignore_eos": True, "stream": streams}
            )
            await until_running(toy.llm)
            await gone.gone()
            stats = await toy.llm.stats()
            assert (stats.running, stats.waiting) == (0, 0)
            assert b"response.incomplete" not in gone.answer.body

    run(main)


@pytest.mark.parametrize("wishes", [{}, INCLUDE])
def test_openais_client_takes_responses(wishes):
    async def main() -> None:
        async with (
            serving(chatting_backend()) as toy,
            client_of(toy.app) as client,
        ):
            first = await client.responses.create(
                model="toy", input="hello", temperature=0, metadata={"a": "b"}, **wishes
            )
            assert first.output_text == "1: hello"
            items = [*HELLO, *first.output, {"role": "user", "content": "hi"}]
            second = await client.responses.create(model="toy", input=items, temperature=0)
            assert second.output_text == "2: hi"
            cut = await client.responses.create(
                model="toy", input="hello", temperature=0, max_output_tokens=3
            )
            assert cut.incomplete_details.reason == "max_output_tokens"

    run(main)


@pytest.mark.parametrize("wishes", [{}, INCLUDE])
def test_openais_client_takes_streams(wishes):
    async def main() -> None:
        async with (
            serving(chatting_backend()) as toy,
            client_of(toy.app) as client,
        ):
            stream = await client.responses.create(
                model="toy", input="hello", temperature=0, stream=True, **wishes
            )
            events = [event async for event in stream]
            assert events[-1].type == "response.completed"
            assert events[-1].response.output_text == "1: hello"
            async with client.responses.stream(
                model="toy", input="hello", temperature=0, **wishes
            ) as stream:
                async for event in stream:
                    if event.type == "response.output_text.delta":
                        snapshot = event.snapshot
                final = await stream.get_final_response()
            assert snapshot == final.output_text == "1: hello"

    run(main)


def test_openais_client_raises_what_fails_in_the_middle_of_a_stream():
    openai = pytest.importorskip("openai")

    async def main() -> None:
        async with (
            serving(scripted(failing)) as toy,
            client_of(toy.app) as client,
        ):
            stream = await client.responses.create(
                model="toy", input="hello", extra_body={"ignore_eos": True}, stream=True
            )
            kinds = []

            async def read() -> None:
                async for event in stream:
                    kinds.append(event.type)

            with pytest.raises(openai.APIError, match="NaN"):
                await read()
            assert kinds[-1] == "response.failed"

    run(main)
