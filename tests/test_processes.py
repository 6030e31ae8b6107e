"""Processes: those that are forked after a model was loaded, and what is sent to another."""

import asyncio
import copy
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap

import pytest
from support.toy import toy_llm
from support.toy_async import toy_async_llm

from foretell.errors import RequestError
from foretell.llm import LLM

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
SECONDS = 60  # until a child that hangs is ended


def in_fork(function):
    """What a forked process gives back as JSON."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(SECONDS)
        try:
            answer = function()
        except Exception as error:  # noqa: BLE001  the parent's to look at
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, json.dumps(answer).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "it hung, or crashed"
    return json.loads(text)


@needs_fork
@pytest.mark.parametrize("threads", [1, 2])
def test_a_fork_goes_on_with_the_model(default_model_path, threads):
    with LLM(default_model_path, threads=threads) as llm:
        expected = llm.generate("The cat sat on the", max_new_tokens=8).token_ids

        def ask():
            found = llm.generate("The cat sat on the", max_new_tokens=8).token_ids
            llm.close()
            return found

        assert [in_fork(ask) for _ in range(2)] == [expected] * 2
        assert llm.generate("The cat sat on the", max_new_tokens=8).token_ids == expected


@needs_fork
@pytest.mark.torch
def test_a_fork_of_the_transformers_backend_says_what_to_do():
    from support.llama_files import make_model

    with LLM(make_model(), tokenizer=toy_llm().tokenizer) as llm:
        llm.generate([1, 2, 3], max_new_tokens=8, ignore_eos=True)
        answer = in_fork(lambda: llm.generate([1, 2, 3], max_new_tokens=8).text)
    assert answer.startswith('ConfigError: backend="transformers" cannot run in a forked process')


@needs_fork
def test_what_was_under_way_ends_in_the_fork_alone():
    llm = toy_llm()
    wishes = {"max_new_tokens": 6, "ignore_eos": True}
    expected = llm.generate("a", **wishes).token_ids
    stream = llm.stream("a", **wishes)
    tokens = [*next(stream).token_ids]

    def read():
        try:
            next(stream)
        except RequestError as error:
            return [str(error), llm.generate("a", **wishes).token_ids, llm.stats().free_blocks]
        return "went on"

    message, found, free = in_fork(read)
    assert "forked while the request was under way" in message
    assert found == expected
    assert free == llm.info.num_blocks
    for chunk in stream:
        tokens += chunk.token_ids
    assert tokens == expected


@needs_fork
def test_a_fork_made_while_another_thread_is_inside_is_not_shut_out():
    llm = toy_llm()
    client = llm._require_open().client
    expected = llm.generate("a", max_new_tokens=4).token_ids
    with client._lock:  # as another thread would have it, which is not in the fork
        assert in_fork(lambda: llm.generate("a", max_new_tokens=4).token_ids) == expected


@needs_fork
def test_an_async_llm_says_what_to_do_in_a_fork():
    async def main():
        async with toy_async_llm() as llm:
            assert await llm.generate("a", max_new_tokens=3)

            def ask():
                return asyncio.run(llm.generate("a", max_new_tokens=3)).text

            # Not from inside the loop: a fork has no other thread, and the loop is the parent's.
            answer = await asyncio.to_thread(in_fork, ask)
            assert answer.startswith("RequestError: this AsyncLLM belongs to the process that")
            assert len((await llm.generate("a", max_new_tokens=3, ignore_eos=True)).token_ids) == 3

    asyncio.run(main())


def test_an_llm_in_a_pool_of_forked_processes(default_model_path):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("there is no fork here")
    program = textwrap.dedent(
        f"""
        import multiprocessing, sys
        from foretell import LLM

        llm = LLM({str(default_model_path)!r}, threads=2)

        def write(prompt):
            return llm.generate(prompt, max_new_tokens=4).token_ids

        expected = [write(prompt) for prompt in ("a", "b", "c")]
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(write, ("a", "b", "c")) == expected
        """
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=SECONDS)


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_what_holds_a_model_says_that_it_cannot_be_copied(copied):
    with toy_llm() as llm:
        for one in (llm, toy_async_llm()):
            with pytest.raises(
                TypeError, match=f"{type(one).__name__} cannot be pickled or copied"
            ):
                copied(one)
