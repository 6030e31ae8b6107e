"""Prefixes saved and loaded while other requests run, twice, by several, in a pool that is full."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.kept import open_kind, some_tokens, write_kind
from support.kernel_bench import bits
from support.logits_after import logits_after
from support.toy import engine_of
from support.toy_async import run
from support.toy_chat import chatting_tokenizer

from foretell import AsyncLLM
from foretell.errors import PrefixFileError, RequestError
from foretell.prefixes import keeping

PREFIX = some_tokens(320)
WISH = {"max_new_tokens": 24, "temperature": 0.8, "ignore_eos": True}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_kind(tmp_path_factory.mktemp("models"), "llama")


@pytest.fixture(scope="module")
def saved(path, tmp_path_factory):
    file = tmp_path_factory.mktemp("saved") / "a.prefix"
    with open_kind(path) as llm:
        llm.save_prefix(file, PREFIX)
    return file


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    """A block at a time is copied between two steps."""
    monkeypatch.setattr(keeping, "CHUNK_BYTES", 1)


def test_loaded_twice_it_is_there_once(path, saved):
    with open_kind(path, prefixes=[saved, saved]) as llm:
        assert llm.load_prefix(saved).num_cached == 320
        assert engine_of(llm).pool.num_kept == 20
        llm.generate(PREFIX, max_new_tokens=1)
        assert llm.load_prefix(saved).num_cached == 320


def test_what_is_computed_already_stays(path, saved):
    with open_kind(path) as llm:
        expected = logits_after(llm, PREFIX[:150]).copy()
        assert llm.load_prefix(saved).num_cached == 320
        assert engine_of(llm).pool.num_kept == 20
        np.testing.assert_array_equal(bits(logits_after(llm, PREFIX[:150])), bits(expected))


def test_loaded_and_saved_while_others_run(path, saved, tmp_path):
    prompts = [PREFIX[: 40 * n] + some_tokens(9, seed=n) for n in range(8)]
    with open_kind(path) as llm:
        alone = [llm.generate(one, seed=n, **WISH).token_ids for n, one in enumerate(prompts)]
    bad = tmp_path / "bad.prefix"
    bad.write_bytes(saved.read_bytes()[:-1])
    with open_kind(path, max_batch_tokens=16) as llm, ThreadPoolExecutor(12) as pool:
        texts = [pool.submit(llm.generate, one, seed=n, **WISH) for n, one in enumerate(prompts)]
        loads = [pool.submit(llm.load_prefix, saved) for _ in range(3)]
        saves = [pool.submit(llm.save_prefix, tmp_path / "one", PREFIX) for _ in range(3)]
        with pytest.raises(PrefixFileError):
            llm.load_prefix(bad)
        assert [one.result().token_ids for one in texts] == alone
        assert {one.result().num_cached for one in loads} == {320}
        assert {one.result().num_tokens for one in saves} == {320}
        assert engine_of(llm).num_free_blocks == llm.info.num_blocks
    assert (tmp_path / "one").read_bytes() == saved.read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bad.prefix", "one"]


def test_as_much_as_has_room_beside_those_that_run(path, saved):
    """A stream holds eleven of thirty blocks: nineteen are free, and no more are taken."""
    with open_kind(path, num_blocks=30) as llm:
        prompt = some_tokens(170, seed=9)
        alone = llm.generate(prompt, seed=1, **WISH).text
        stream = llm.stream(prompt, seed=1, **WISH)
        begun = next(stream).text
        loaded = llm.load_prefix(saved)
        assert loaded.num_cached == 19 * 16
        assert begun + "".join(chunk.text for chunk in stream) == alone
        output = llm.generate(PREFIX, max_new_tokens=1)
        assert 0 < output.usage.cached_tokens <= 19 * 16
        assert engine_of(llm).num_free_blocks == 30


def test_blocks_that_others_take_before_they_are_saved(path, saved, tmp_path, monkeypatch):
    """Between two reads, another request takes all blocks: the prompt is computed again."""
    with open_kind(path, num_blocks=22) as llm:
        others = [some_tokens(330, seed=n) for n in range(2)]
        read = keeping.PrefixBlocks.read

        def taken(blocks, start, number):
            if start == {2: 7, 1: 15}.get(len(others)):
                logits_after(llm, others.pop())
            return read(blocks, start, number)

        monkeypatch.setattr(keeping.PrefixBlocks, "read", taken)
        llm.save_prefix(tmp_path / "a.prefix", PREFIX)
        assert others == []
    assert (tmp_path / "a.prefix").read_bytes() == saved.read_bytes()


def test_blocks_that_are_always_taken(path, tmp_path, monkeypatch):
    with open_kind(path, num_blocks=22) as llm:
        monkeypatch.setattr(keeping.PrefixBlocks, "read", lambda *_: [])
        with pytest.raises(RequestError, match="taken by other requests before they can be saved"):
            llm.save_prefix(tmp_path / "a.prefix", PREFIX)
    assert [*tmp_path.iterdir()] == []


def test_it_goes_when_room_is_needed_and_is_computed_again(path, saved):
    with open_kind(path, num_blocks=24, prefixes=saved) as llm:
        expected = logits_after(llm, PREFIX).copy()
        for seed in range(3):
            logits_after(llm, some_tokens(370, seed=seed))
        assert llm.generate(PREFIX, max_new_tokens=1).usage.cached_tokens < 320
        np.testing.assert_array_equal(bits(logits_after(llm, PREFIX)), bits(expected))
        assert llm.load_prefix(saved).num_cached == 320


def test_in_asyncio(path, saved, tmp_path):
    async def main():
        options = {"tokenizer": chatting_tokenizer(), "prefixes": [saved]}
        async with AsyncLLM(path, **options) as llm:
            assert (await llm.generate(PREFIX, max_new_tokens=1)).usage.cached_tokens == 304
        async with AsyncLLM(path, tokenizer=chatting_tokenizer()) as llm:
            others = [llm.generate(some_tokens(50, n), seed=n, **WISH) for n in range(4)]
            kept = llm.save_prefix(tmp_path / "a.prefix", PREFIX)
            loaded = llm.load_prefix(saved)
            kept, loaded, *_ = await asyncio.gather(kept, loaded, *others)
            assert kept.num_tokens == loaded.num_cached == 320
            (tmp_path / "bad").write_bytes(saved.read_bytes()[:-1])
            with pytest.raises(PrefixFileError, match="damaged"):
                await llm.load_prefix(tmp_path / "bad")
            with pytest.raises(RequestError, match="15 tokens"):
                await llm.save_prefix(tmp_path / "b", PREFIX[:15])
        assert (tmp_path / "a.prefix").read_bytes() == saved.read_bytes()

    run(main)


def test_who_does_not_wait_any_more_leaves_nothing(path, saved, tmp_path):
    async def main():
        async with AsyncLLM(path, tokenizer=chatting_tokenizer()) as llm:
            for wait in (0, 0.001, 0.01, 0.05):
                for work in (llm.load_prefix(saved), llm.save_prefix(tmp_path / "a", PREFIX)):
                    task = asyncio.create_task(work)
                    await asyncio.sleep(wait)
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
            assert (await llm.load_prefix(saved)).num_cached == 320
            stats = await llm.stats()
            assert stats.free_blocks == stats.num_blocks

    run(main)
    assert [one.name for one in tmp_path.iterdir()] in ([], ["a"])


def test_what_chats_share(path, tmp_path):
    system = {"role": "system", "content": "You are a cat. " * 9}
    with open_kind(path) as llm:
        kept = llm.save_prefix(tmp_path / "a.prefix", messages=[system])
        whole = llm.save_prefix(
            tmp_path / "b.prefix", messages=[system, {"role": "user", "content": "Hi " * 20}]
        )
        assert whole.token_ids[: kept.num_tokens] == kept.token_ids
        assert whole.num_tokens > kept.num_tokens
        text = llm.tokenizer.decode(kept.token_ids, skip_special_tokens=False)
        assert text.startswith("<|start|>system\nYou are a cat.")
    for said in ("What now?", "Aha", "b"):
        chat = [system, {"role": "user", "content": said}]
        with open_kind(path) as llm:
            expected = llm.chat(chat, seed=1, **WISH).text
        with open_kind(path, prefixes=tmp_path / "a.prefix") as llm:
            output = llm.chat(chat, seed=1, **WISH)
            assert (output.text, output.usage.cached_tokens) == (expected, kept.num_tokens)
    alone = pytest.raises(RequestError, match="a prompt or messages, one of the two")
    with open_kind(path) as llm, alone:
        llm.save_prefix(tmp_path / "c.prefix")


def test_more_prefixes_than_there_is_room_for_are_told(path, saved, tmp_path, caplog):
    with open_kind(path) as llm:
        llm.save_prefix(tmp_path / "a.prefix", some_tokens(320, seed=4))
    with open_kind(path, num_blocks=41, prefixes=[saved, tmp_path / "a.prefix"]) as llm:
        assert engine_of(llm).pool.num_kept == 40
    assert not caplog.records
    with open_kind(path, num_blocks=30, prefixes=[saved, tmp_path / "a.prefix"]) as llm:
        assert llm.generate(some_tokens(320, seed=4), max_new_tokens=1).usage.cached_tokens == 304
    (record,) = caplog.records
    assert "the prefixes have 640 tokens, the KV pool 480" in record.message
