"""Spans of OpenTelemetry: one a request, a child of the caller's, where the program uses it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from support.asgi import call
from support.toy import toy_llm
from support.toy_async import run, toy_async_llm
from support.toy_chat import chatting_llm
from support.toy_server import CHAT, COMPLETIONS, HELLO, serving

from foretell import telemetry

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def kit() -> Iterator[Any]:
    """The SDK, in use."""
    pytest.importorskip("opentelemetry.sdk")
    from support import spans

    with spans.in_use():
        yield spans


def test_a_request_has_a_span_with_the_attributes_of_the_conventions(kit: Any) -> None:
    wishes = {"temperature": 0.7, "top_p": 0.9, "top_k": 20, "seed": 5, "stop": ["zz"]}
    wishes |= {"presence_penalty": 0.1, "frequency_penalty": 0.2}
    with toy_llm(num_blocks=200) as llm, kit.caller_span() as parent:
        output = llm.generate("the cat", max_new_tokens=6, **wishes)
    (span,) = kit.told()
    assert span.name == "text_completion scripted"
    assert span.parent.span_id == parent.get_span_context().span_id
    assert span.context.trace_id == parent.get_span_context().trace_id
    assert parent.start_time <= span.start_time <= span.end_time <= parent.end_time
    usage, told = output.usage, dict(span.attributes)
    assert told.pop("gen_ai.response.time_to_first_chunk") == usage.time_to_first_token
    assert told == {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "foretell",
        "gen_ai.request.model": "scripted",
        "gen_ai.response.model": "scripted",
        "gen_ai.output.type": "text",
        "gen_ai.request.max_tokens": 6,
        "gen_ai.request.temperature": 0.7,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.top_k": 20,
        "gen_ai.request.presence_penalty": 0.1,
        "gen_ai.request.frequency_penalty": 0.2,
        "gen_ai.request.seed": 5,
        "gen_ai.request.stop_sequences": ("zz",),
        "gen_ai.response.finish_reasons": (output.finish_reason,),
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "foretell.usage.draft_tokens": 0,
        "foretell.usage.accepted_tokens": 0,
    }


def test_the_names_are_those_of_the_conventions(kit: Any) -> None:
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

    known = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI")}
    with toy_llm(num_blocks=200) as llm:
        llm.generate("a", max_new_tokens=2, temperature=1.0, num_return_sequences=2)
    (span,) = kit.told()
    own = {name for name in span.attributes if not name.startswith("foretell.")}
    assert own | {*telemetry.REQUESTED.values()} <= known
    assert span.attributes["gen_ai.request.choice.count"] == 2
    assert len(span.attributes["gen_ai.response.finish_reasons"]) == 2


def test_no_text_is_told(kit: Any) -> None:
    with toy_llm(num_blocks=200) as llm:
        output = llm.generate("the secret cat", max_new_tokens=20)
    told = str(kit.told()[0].to_json())
    assert "secret" not in told
    assert output.text not in told


def test_lists_chats_and_streams(kit: Any) -> None:
    with toy_llm(num_blocks=200) as llm:
        llm.generate(["a", "b", "c"], max_new_tokens=2)
    assert len(kit.told()) == 3
    kit.EXPORTER.clear()
    with chatting_llm() as llm:
        llm.chat(HELLO, temperature=1.0)
        list(llm.stream_chat(HELLO, temperature=1.0))
    names = [span.attributes["gen_ai.operation.name"] for span in kit.told()]
    assert names == ["chat", "chat"]


def test_whoever_leaves_has_a_span_that_ends_there(kit: Any) -> None:
    with toy_llm(num_blocks=200) as llm, closing(llm.stream("a", max_new_tokens=50)) as chunks:
        next(chunks)
        assert kit.told() == []
    (span,) = kit.told()
    assert "gen_ai.response.finish_reasons" not in span.attributes
    assert span.status.is_unset


def test_an_error_is_told(kit: Any) -> None:
    def wrong(row, history):
        raise KeyError("of the user's own")

    with toy_llm(num_blocks=200) as llm, pytest.raises(KeyError):
        llm.generate("a", max_new_tokens=5, logits_processor=wrong)
    (span,) = kit.told()
    assert span.attributes["error.type"] == "KeyError"
    assert not span.status.is_ok


def test_in_asyncio_each_task_has_its_own_parent(kit: Any) -> None:
    async def main() -> None:
        import asyncio

        async def one(llm: Any) -> int:
            with kit.caller_span() as parent:
                await llm.generate("the cat", max_new_tokens=4)
            return parent.get_span_context().span_id

        async with toy_async_llm() as llm:
            parents = await asyncio.gather(*(one(llm) for _ in range(5)))
            assert {span.parent.span_id for span in kit.told()} == {*parents}
            with kit.caller_span() as parent:
                async for _ in llm.stream("a", max_new_tokens=50):
                    break
            async with asyncio.timeout(30):
                while len(kit.told()) < 6:
                    await asyncio.sleep(0.001)
            assert kit.told()[-1].parent.span_id == parent.get_span_context().span_id

    run(main)


@pytest.mark.parametrize("streams", [False, True])
def test_a_client_of_the_server_is_the_parent(kit: Any, streams: bool) -> None:
    async def main() -> None:
        async with serving() as toy:
            headers = {"traceparent": TRACEPARENT}
            for path, asked in ((COMPLETIONS, {"prompt": "a"}), (CHAT, {"messages": HELLO})):
                body = {**asked, "max_tokens": 4, "stream": streams}
                await call(toy.app, path, body, headers=headers)
            await call(toy.app, COMPLETIONS, {"prompt": "a", "max_tokens": 2})

    run(main)
    text, chat, alone = kit.told()
    for span in (text, chat):
        assert f"{span.context.trace_id:032x}" == TRACEPARENT.split("-")[1]
        assert f"{span.parent.span_id:016x}" == TRACEPARENT.split("-")[2]
    assert chat.attributes["gen_ai.operation.name"] == "chat"
    assert alone.parent is None


def test_a_header_that_is_none_is_passed_over(kit: Any) -> None:
    async def main() -> None:
        async with serving() as toy:
            headers = {"traceparent": "00-nonsense-\xff"}
            answer = await call(toy.app, COMPLETIONS, {"prompt": "a"}, headers=headers)
            assert answer.status == 200

    run(main)
    assert kit.told()[0].parent is None


def test_a_context_that_is_there_stays(kit: Any) -> None:
    with (
        kit.caller_span() as parent,
        telemetry.of_headers([(b"traceparent", TRACEPARENT.encode())]),
    ):
        assert kit.trace.get_current_span() is parent


def test_who_has_no_provider_has_no_spans(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = kit.trace.ProxyTracerProvider()
    monkeypatch.setattr(kit.trace, "get_tracer_provider", lambda: provider)
    assert telemetry.caller("model") is None


def test_who_does_not_use_it_imports_nothing_of_it() -> None:
    program = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from support.toy import toy_llm\n"
        "llm = toy_llm(num_blocks=200)\n"
        "assert llm.generate('a', max_new_tokens=3).token_ids\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"
