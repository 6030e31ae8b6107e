"""AsyncLLM.submit: what a server may know of a request before its first token."""

from __future__ import annotations

import asyncio

import pytest
from support.toy_async import GatedBackend, content, run, settled, toy_async_llm

from foretell import RequestError
from foretell.errors import QueueFullError


def test_the_block_is_entered_before_any_step_has_run():
    backend = GatedBackend()

    async def main() -> None:
        async with toy_async_llm(backend) as llm:
            async with llm.submit("the cat", max_new_tokens=3) as submitted:
                assert submitted.prompt_lengths == (2,)
                backend.open()
                chunks = [chunk async for chunk in submitted]
            alone = await llm.generate("the cat", max_new_tokens=3)
            assert content(chunks[-1].require_output()) == content(alone)
            assert "".join(chunk.text for chunk in chunks) == alone.text
            await settled(llm)

    run(main)


def test_whatever_is_refused_is_refused_before_the_block():
    async def main() -> None:
        async with toy_async_llm(max_waiting=1, max_running=1) as llm:

            async def ask() -> str:
                try:
                    async with llm.submit("the cat", max_new_tokens=50) as submitted:
                        return [chunk async for chunk in submitted][-1].finish_reason or ""
                except QueueFullError:
                    return "refused"

            ends = await asyncio.gather(*(ask() for _ in range(8)))
            assert ends.count("refused") >= 5
            assert set(ends) == {"refused", "length"}
            with pytest.raises(RequestError, match="out of range"):
                async with llm.submit([10**6], max_new_tokens=5):
                    pytest.fail("the block was entered")
            await settled(llm)

    run(main)


def test_a_list_is_not_waited_for_and_tells_its_lengths():
    backend = GatedBackend()

    async def main() -> None:
        async with toy_async_llm(backend, max_running=1) as llm:
            prompts = ["the cat", "a", "b" * 20]
            async with llm.submit(lambda: prompts, max_new_tokens=4, streams=False) as submitted:
                backend.open()  # nothing has run until now
                found = [chunk async for chunk in submitted]
            assert submitted.prompt_lengths == (2, 1, 20)
            assert [chunk.output is None for chunk in found] == [False] * 3
            await settled(llm)

    run(main)


def test_leaving_the_block_ends_the_request():
    async def main() -> None:
        async with toy_async_llm() as llm:
            async with llm.submit("the cat", max_new_tokens=200) as submitted:
                await anext(submitted)
            await settled(llm)

    run(main)


def test_a_comparison_is_entered_before_any_step_has_run():
    backend = GatedBackend()
    strategies = {"greedy": {}, "warm": {"temperature": 1.2}}
    wishes = {"seeds": [3, 4], "max_new_tokens": 5}

    async def main() -> None:
        async with toy_async_llm(backend) as llm:
            async with llm.submit_compare("the cat", strategies, **wishes) as submitted:
                backend.open()
                parts = [part async for parts in submitted for part in parts]
                found = await submitted.view()
            alone = await llm.compare("the cat", strategies, **wishes)
            assert found.to_dict() == alone.to_dict()
            for result in alone.results:
                for number, one in enumerate(result.runs):
                    mine = [p for p in parts if (p.strategy, p.run) == (result.name, number)]
                    assert "".join(part.chunk.text for part in mine) == one.text
                    assert {part.seed for part in mine} == {one.seed}
            await settled(llm)

    run(main)


def test_a_search_tells_each_step_before_the_next_has_run():
    backend = GatedBackend()
    wishes = {"num_beams": 3, "max_new_tokens": 4, "ignore_eos": True}

    async def main() -> None:
        async with toy_async_llm(backend) as llm:
            async with llm.submit_beams("the cat", **wishes) as submitted:
                for number in range(4):
                    backend.release()
                    (part,) = await anext(submitted)
                    assert part.index == number
                backend.open()
                assert [parts async for parts in submitted] == []
                tree = await submitted.view()
            assert part.hypotheses == tree.hypotheses
            assert part.end == tree.end
            assert tree.steps == (await llm.beams("the cat", **wishes)).steps
            await settled(llm)

    run(main)


@pytest.mark.parametrize("name", ["submit_compare", "submit_beams"])
def test_who_leaves_a_view_ends_its_requests(name):
    async def main() -> None:
        async with toy_async_llm() as llm:
            async with getattr(llm, name)("the cat", max_new_tokens=90) as submitted:
                assert await anext(submitted)
            await settled(llm)

    run(main)
