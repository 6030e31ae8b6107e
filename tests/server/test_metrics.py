"""What Prometheus is told, as its own parser reads it."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Mapping
from time import perf_counter
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_plain
from support.asgi import begin, call
from support.speculated import repeating
from support.toy_async import GatedBackend, run, scripted, toy_async_llm, until_queued
from support.toy_server import COMPLETIONS, serving

from foretell.outputs import Chunk
from foretell.server import metrics as module
from foretell.server import record as record_module
from foretell.server.lifecycle import Lifecycle
from foretell.server.log import LOGGER
from foretell.server.metrics import SECONDS, Histogram, Metrics
from foretell.server.options import ServerOptions
from foretell.server.record import RequestRecord
from foretell.server.scraping import page_of
from foretell.server.state import ServerState

OPEN = {"accept": "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,*/*"}

GAUGES = ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc")
COUNTERS = (
    *("prompt_tokens", "generation_tokens", "request_success", "num_preemptions"),
    *("prefix_cache_queries", "prefix_cache_hits"),
)
DRAFTS = {
    "vllm:": ("spec_decode_num_draft_tokens", "spec_decode_num_accepted_tokens"),
    "foretell:": ("draft_tokens", "accepted_tokens"),
}
HISTOGRAMS = (
    *("time_to_first_token_seconds", "inter_token_latency_seconds", "e2e_request_latency_seconds"),
    *("request_queue_time_seconds", "request_prefill_time_seconds"),
    *("request_decode_time_seconds", "request_prompt_tokens", "request_generation_tokens"),
    "request_max_num_generation_tokens",
)


async def scraped(app: Any, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The metrics by name; those of a value alone as that value, for plain text's names too."""
    answer = await call(app, "/metrics", headers=headers or {})
    assert answer.status == 200
    is_open = "openmetrics" in answer.headers["content-type"]
    read = read_open if is_open else read_plain
    return {family.name: family for family in read(answer.body.decode())}


def value(families: Mapping[str, Any], name: str, suffix: str = "", **labels: str) -> float:
    wanted = {"model_name": "toy", "engine": "0", **labels}
    (found,) = [
        sample.value
        for sample in families[name].samples
        if sample.name == name + suffix and sample.labels == wanted
    ]
    return float(found)


@pytest.mark.parametrize("headers", [{}, OPEN])
def test_the_names_that_dashboards_know_are_there(headers):
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": "the cat", "max_tokens": 5, "temperature": 0, "stream": True}
            await call(toy.app, COMPLETIONS, body, headers={"x-request-id": "mine"})
            found = await scraped(toy.app, headers)
            for prefix, drafts in DRAFTS.items():
                counters = COUNTERS + drafts
                kinds = {name: found[prefix + name].type for name in GAUGES + counters + HISTOGRAMS}
                expected = [(GAUGES, "gauge"), (counters, "counter"), (HISTOGRAMS, "histogram")]
                assert kinds == {name: kind for names, kind in expected for name in names}
            assert value(found, "vllm:prompt_tokens", "_total") == 2
            assert value(found, "vllm:generation_tokens", "_total") == 5
            ended = ("vllm:request_success", "_total")
            assert value(found, *ended, finished_reason="length") == 1
            assert value(found, *ended, finished_reason="stop") == 0
            for name in HISTOGRAMS:
                count = 4 if name.startswith("inter") else 1
                assert value(found, f"vllm:{name}", "_count") == count
            assert value(found, "vllm:request_generation_tokens", "_sum") == 5
            assert value(found, "vllm:request_max_num_generation_tokens", "_sum") == 5
            assert value(found, "foretell:http_responses", "_total", status="200") == 1

    run(main)


@pytest.mark.parametrize("speculation", ["lookup", None])
@pytest.mark.parametrize("streams", [False, True])
def test_drafts_are_counted_in_metrics_and_usage(speculation, streams):
    """Both tell what `AsyncLLM` tells of the same text, which repeats itself."""

    async def main() -> None:
        async with serving(scripted(repeating()), speculation=speculation) as toy:
            alone = await toy.llm.generate("the cat", max_new_tokens=60)
            drafted, accepted = alone.usage.draft_tokens, alone.usage.accepted_tokens
            assert (accepted > 0) == (speculation is not None)
            body = {"prompt": "the cat", "max_tokens": 60, "temperature": 0}
            if streams:
                body |= {"stream": True, "stream_options": {"include_usage": True}}
            answer = await call(toy.app, COMPLETIONS, body)
            told = answer.events[-2] if streams else answer.data
            assert told["usage"]["completion_tokens"] == 60
            assert told["usage"]["completion_tokens_details"] == {
                "reasoning_tokens": 0,
                "accepted_prediction_tokens": accepted,
                "rejected_prediction_tokens": drafted - accepted,
            }
            found = await scraped(toy.app)
            for prefix, names in DRAFTS.items():
                counts = [value(found, prefix + name, "_total") for name in names]
                assert counts == [2 * drafted, 2 * accepted]

    run(main)


def test_a_request_is_found_by_the_exemplar_of_its_bucket():
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": "the cat", "max_tokens": 5}
            for request_id in ("mine", "x" * 128):  # the other is too long for an exemplar
                headers = {"x-request-id": request_id}
                await call(toy.app, COMPLETIONS, body, headers=headers)
                found = await scraped(toy.app, OPEN)
                exemplars = [
                    sample.exemplar.labels
                    for sample in found["vllm:request_prompt_tokens"].samples
                    if sample.exemplar
                ]
                assert exemplars == ([{"request_id": "mine"}] if request_id == "mine" else [])

    run(main)


def test_what_runs_waits_and_breaks_off_is_counted():
    async def main() -> None:
        backend = GatedBackend()
        async with serving(backend, max_running=1) as toy:
            body = {"prompt": "hi", "stream": True, "max_tokens": 50, "temperature": 0}
            calls = [begin(toy.app, COMPLETIONS, body)]
            await asyncio.to_thread(backend.is_waiting.wait, 30)
            calls += [begin(toy.app, COMPLETIONS, body) for _ in range(2)]
            await until_queued(toy.llm, 2)
            backend.release()
            await calls[0].until(b"data: ")
            await asyncio.to_thread(backend.is_waiting.wait, 30)
            scrape = asyncio.create_task(scraped(toy.app))
            await until_queued(toy.llm, 1)
            backend.release()
            found = await scrape
            assert value(found, "vllm:num_requests_running") == 1
            assert value(found, "vllm:num_requests_waiting") == 2
            assert 0 < value(found, "vllm:kv_cache_usage_perc") <= 1
            for one in calls:
                await one.gone()
            backend.open()
            found = await scraped(toy.app)
            assert value(found, "vllm:request_success", "_total", finished_reason="abort") == 3

    run(main)


def test_an_engine_that_is_busy_does_not_hold_up_the_answer(monkeypatch):
    async def main() -> None:
        backend = GatedBackend()
        async with serving(backend) as toy:
            before = await scraped(toy.app)
            begun = begin(toy.app, COMPLETIONS, {"prompt": "a", "max_tokens": 2})
            await asyncio.to_thread(backend.is_waiting.wait, 30)
            monkeypatch.setattr(module, "STATS_TIMEOUT", 0.01)
            found = await scraped(toy.app)  # what was true before
            assert value(found, "vllm:num_requests_running") == 0
            assert found.keys() == before.keys()
            backend.open()
            await begun.ended()

    run(main)


def test_without_a_model_there_are_counts_all_the_same():
    async def main() -> None:
        llm = toy_async_llm()
        state = ServerState(llm, ServerOptions(), Lifecycle())
        page, _ = await page_of(state, "")
        assert b"vllm:request_success_total" in page
        assert b"vllm:num_requests_running" not in page
        async with llm:
            await page_of(state, "")
        page, _ = await page_of(state, "")
        assert b"vllm:num_requests_running" in page  # the last that was known

    run(main)


def test_any_name_of_a_model_can_be_told():
    async def main() -> None:
        async with toy_async_llm() as llm:
            for accept in ("", OPEN["accept"]):
                options = ServerOptions(model_names=('a"\n\\b',))
                page, _ = await page_of(ServerState(llm, options, Lifecycle()), accept)
                read = read_open if accept else read_plain
                labels = [s.labels for f in read(page.decode()) for s in f.samples]
                assert {one["model_name"] for one in labels} == {'a"\n\\b'}

    run(main)


def test_a_value_at_a_bound_belongs_to_its_bucket():
    histogram = Histogram((1.0, 2.0))
    histogram.observe([0.5, 1.0, 1.5, 2.0, 9.0], "a")
    assert histogram.counts == [2, 2, 1]
    assert histogram.total == 14.0


def test_the_time_in_the_queue_ends_where_a_request_first_runs():
    async def main() -> None:
        backend = GatedBackend()
        async with serving(backend, max_running=1) as toy:
            body = {"prompt": "a", "max_tokens": 2}
            first = begin(toy.app, COMPLETIONS, body)
            await asyncio.to_thread(backend.is_waiting.wait, 30)
            others = [begin(toy.app, COMPLETIONS, {**body, "stream": one}) for one in (True, False)]
            await until_queued(toy.llm, 2)
            backend.release()
            async with asyncio.timeout(30):
                while not others[0].answer.status:  # the queue has it
                    await asyncio.sleep(0.001)
            held = perf_counter()
            await asyncio.sleep(0.2)
            backend.open()
            for one in (first, *others):
                await one.ended()
            waited = perf_counter() - held
            times = toy.app._state.metrics.histograms
            queued = times["request_queue_time_seconds"]
            assert sum(queued.counts) == 3
            assert queued.total >= 2 * 0.2  # the two waited for the first to be let
            prefill = times["request_prefill_time_seconds"].total
            assert prefill <= waited + 0.2  # that of the first; those of the others held nothing up

    run(main)


@pytest.mark.parametrize(
    "wish", [{}, {"n": 3, "temperature": 1, "seed": 4}, {"prompt": ["the cat", "a"]}]
)
def test_streams_and_whole_answers_are_counted_alike(wish):
    async def main() -> None:
        for streams in (False, True):
            async with serving() as toy:
                alone = await toy.llm.generate("the cat", max_new_tokens=20)
                stop = alone.text[5:8]
                body = {"prompt": "the cat", "temperature": 0, "max_tokens": 20, "stop": stop}
                answer = await call(toy.app, COMPLETIONS, {**body, **wish})
                wanted = answer.data["usage"]["completion_tokens"]
                number = len(answer.data["choices"])
                metrics = toy.app._state.metrics = Metrics()
                await call(toy.app, COMPLETIONS, {**body, **wish, "stream": streams})
                assert metrics.histograms["request_generation_tokens"].total == wanted
                gaps = metrics.histograms["inter_token_latency_seconds"]
                if streams:  # tokens that a stop has taken are in no chunk
                    assert 0 < sum(gaps.counts) <= wanted - number
                else:
                    assert sum(gaps.counts) == wanted - number

    run(main)


def test_gaps_are_those_between_the_tokens_of_one_text(monkeypatch):
    clock = iter([1.0, 3.0, 4.0, 4.0])
    monkeypatch.setattr(record_module, "perf_counter", lambda: next(clock))
    record = RequestRecord("a", arrived=0.0, streams=True)
    for tokens in ([1, 1], [1, 0], [2, 4]):
        chunks = [chunk_of(index, [7] * number) for index, number in enumerate(tokens)]
        record.note_chunks(chunks)
    assert record.gaps == [2.0, 0.5, 0.5, 0.75, 0.75, 0.75, 0.75]
    record.note_chunks([chunk_of(2, [7, 7])])
    assert record.gaps[7:] == [0.0]  # they came at once
    assert (record.first, record.last, record.completion_tokens) == (1.0, 4.0, 11)


def chunk_of(index: int, token_ids: list[int]) -> Chunk:
    return Chunk(text="", token_ids=token_ids, start_byte=0, index=index)


def test_a_view_that_is_left_is_counted():
    async def main() -> None:
        backend = GatedBackend()
        async with serving(backend) as toy:
            one = begin(toy.app, "/v1/foretell/score", {"prompt": "the cat"})
            await asyncio.to_thread(backend.is_waiting.wait, 30)
            await one.gone()
            backend.open()
            found = await scraped(toy.app)
            assert value(found, "vllm:request_success", "_total", finished_reason="abort") == 1

    run(main)


def test_a_request_that_failed_or_never_ran_is_told_apart():
    counts = Metrics()
    refused = RequestRecord("a", status=400, error="no")
    failed = RequestRecord("b", status=200, error="NaN", queued=1.0)
    for record in (refused, failed):
        counts.note(record)
    assert counts.finish_reasons == {"stop": 0, "length": 0, "abort": 0, "error": 1}
    assert counts.statuses == {400: 1, 200: 1}
    assert sum(counts.histograms["e2e_request_latency_seconds"].counts) == 1


def test_the_library_is_imported_when_it_is_asked_for():
    code = "import sys, foretell.server.app; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_bounds_rise():
    assert list(SECONDS) == sorted(SECONDS)
    assert (SECONDS[0], SECONDS[-1]) == (0.001, 500.0)


VIEWS = {
    "next": {},
    "score": {},
    "explain": {"max_new_tokens": 3},
    "beams": {"num_beams": 2, "max_new_tokens": 3},
    "compare": {"strategies": {"a": {"max_new_tokens": 3}, "b": {"max_new_tokens": 4}}},
    "alternatives": {"top": 2, "max_new_tokens": 3},
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_counted_with_all_that_it_computes(caplog, name):
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": "the cat", **VIEWS[name]}
            assert (await call(toy.app, f"/v1/foretell/{name}", body)).status == 200
            assert (await call(toy.app, f"/v1/foretell/{name}", {"prompt": 1})).status == 400
            assert (await call(toy.app, "/tokenize", {"prompt": "the cat"})).status == 200
            found = await scraped(toy.app)
            assert value(found, "vllm:e2e_request_latency_seconds", "_count") == 1
            for kind in ("prompt", "generation"):
                told = value(found, f"vllm:request_{kind}_tokens", "_sum")
                assert told == value(found, f"vllm:{kind}_tokens", "_total")
                assert (
                    f"{'completion' if kind == 'generation' else kind}_tokens={told:.0f}"
                    in (caplog.messages[0])
                )

    caplog.set_level(logging.INFO, LOGGER.name)
    run(main)
