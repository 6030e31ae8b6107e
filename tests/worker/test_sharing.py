"""An AsyncLLM over an LLM that is open: the same answers, and the LLM is left as it was."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import pytest
from support.toy import toy_tokenizer
from support.toy_async import WISHES, content, run, scripted

from foretell import LLM
from foretell.async_llm import share
from foretell.errors import ClosedError, ConfigError

PROMPTS = ["the cat", "a", "the the", "cat cat cat"]


def toy(**options: Any) -> LLM:
    return LLM(scripted(num_blocks=40), tokenizer=toy_tokenizer(), **options)


@pytest.mark.parametrize("options", [{}, {"max_waiting": 1}, {"max_running": 1}])
def test_answers_are_those_of_the_llm(options: Any) -> None:
    async def main() -> None:
        with toy(**options) as llm:
            expected = [content(llm.generate(prompt, **WISHES)) for prompt in PROMPTS]
            async with share(llm) as shared:
                asked = [shared.generate(prompt, **WISHES) for prompt in PROMPTS * 3]
                found = await asyncio.gather(*asked)
                listed = await shared.generate(PROMPTS, **WISHES)
            assert [content(one) for one in found] == expected * 3
            assert [one.token_ids for one in listed] == [one["token_ids"] for one in expected]
            assert content(llm.generate(PROMPTS[0], **WISHES)) == expected[0]

    run(main)


def test_to_close_it_ends_its_own_requests_alone() -> None:
    async def main() -> None:
        with toy() as llm:
            own = llm.stream("the cat", **WISHES)
            first = next(own)
            shared = await share(llm).open()
            asked = asyncio.create_task(shared.generate("a", max_new_tokens=100, ignore_eos=True))
            await asyncio.sleep(0.01)
            await shared.close()
            with pytest.raises(ClosedError):
                await asked
            rest = [chunk.text for chunk in own]
            assert first.text + "".join(rest) == llm.generate("the cat", **WISHES).text
            stats = llm.stats()
            assert (stats.running, stats.waiting, stats.free_blocks) == (0, 0, stats.num_blocks)

    run(main)


def test_what_is_wrong_with_one_request_is_its_own() -> None:
    async def main() -> None:
        with toy() as llm:
            async with share(llm) as shared:
                good = asyncio.create_task(shared.generate("the", **WISHES))
                with pytest.raises(ConfigError):
                    await shared.generate("the", temperature=-1)
                assert (await good).token_ids

    run(main)


def test_stats_may_be_asked_for_while_another_thread_is_in_a_step() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with toy() as llm:
            thread = threading.Thread(
                target=lambda: [llm.generate("a", max_new_tokens=30) for _ in range(20)]
            )
            thread.start()
            while thread.is_alive():
                assert llm.stats().tokens_per_second >= 0
            thread.join()
    finally:
        sys.setswitchinterval(before)
