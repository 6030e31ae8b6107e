"""Programs that end, or are ended, in the middle of what an AsyncLLM does."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


PROLOGUE = """
    import asyncio, gc, signal, sys, threading
    from foretell import AsyncLLM
    from support.toy import EOS, VOCAB_SIZE, toy_tokenizer
    from foretell.backends.scripted import ScriptedBackend, improvise

    def make():
        backend = ScriptedBackend(improvise(VOCAB_SIZE), vocab_size=VOCAB_SIZE)
        return AsyncLLM(backend, tokenizer=toy_tokenizer())
"""


def program(body: str) -> subprocess.CompletedProcess[str]:
    """Run a program of its own, to its end; one that hangs is an error."""
    source = textwrap.dedent(PROLOGUE) + textwrap.dedent(body)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        check=False,
    )


@pytest.mark.parametrize(
    "body",
    [
        """
        async def main():
            llm = await make().__aenter__()
            chunks = llm.stream("the cat", max_new_tokens=200)
            print((await anext(chunks)).index)

        asyncio.run(main())
        """,
        """
        loop = asyncio.new_event_loop()
        llm = loop.run_until_complete(make().__aenter__())
        tasks = [loop.create_task(llm.generate("a", max_new_tokens=200)) for _ in range(3)]
        loop.run_until_complete(asyncio.sleep(0.05))
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.close()
        print(0)
        """,
        """
        import logging
        logging.disable()  # asyncio tells of tasks that were left pending

        async def main():
            llm = await AsyncLLM().__aenter__()  # in the middle of a native step
            for number in range(3):
                task = llm.generate(f"{number} " * 300, max_new_tokens=200, ignore_eos=True)
                tasks.append(asyncio.create_task(task))
            tasks.append(asyncio.create_task(llm.next("Once")))
            await asyncio.sleep(0.1)

        tasks, loop = [], asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        print(0)
        """,
    ],
    ids=["in-a-stream", "after-cancelled-tasks", "with-tasks-left"],
)
def test_a_program_may_end_without_closing(body: str, default_model_path: Path):
    result = program(body)
    assert (result.returncode, result.stdout, result.stderr) == (0, "0\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGINT to send")
def test_ctrl_c_leaves_cleanly():
    result = program("""
        async def main():
            async with make() as llm:
                async def read():
                    async for chunk in llm.stream("the cat", max_new_tokens=250):
                        await asyncio.sleep(0.001)
                asyncio.get_running_loop().call_later(0.05, signal.raise_signal, signal.SIGINT)
                while True:
                    await asyncio.gather(read(), llm.generate("a", max_new_tokens=250))

        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("left", any(t.name == "foretell-worker" for t in threading.enumerate()))
    """)
    assert (result.returncode, result.stdout, result.stderr) == (0, "left False\n", "")
