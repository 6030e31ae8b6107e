"""AsyncLLM: the same answers as LLM, whatever the tasks do, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import textwrap
import warnings
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.toy import VOCAB_SIZE, engine_of, toy_llm, toy_tokenizer
from support.toy_async import (
    SCRIPT,
    WISHES,
    GatedBackend,
    content,
    run,
    scripted,
    settled,
    toy_async_llm,
    until_queued,
)

import foretell
from foretell import LLM, AsyncLLM, ConfigError, ModelNotFoundError, NumericalError, RequestError
from foretell.async_llm import _ask
from foretell.backends.base import Batch
from foretell.backends.scripted import ScriptedBackend
from foretell.errors import ForetellError, QueueFullError, SettingWarning
from foretell.utils.arrays import Logits


def test_its_repr_says_what_it_runs_and_whether_it_is_open():
    async def main() -> None:
        llm = toy_async_llm()
        assert repr(llm) == "AsyncLLM(not open)"
        async with llm:
            assert repr(llm) == f"AsyncLLM({llm.info.description!r})"
        assert repr(llm) == f"AsyncLLM({llm.info.description!r}, closed)"

    run(main)


def test_it_answers_as_llm_does():
    llm = toy_llm()
    prompts = ["the cat", "a", "b" * 20]

    async def main() -> None:
        async with toy_async_llm() as other:
            one = await other.generate("the cat", **WISHES)
            assert content(one) == content(llm.generate("the cat", **WISHES))
            several = await other.generate(prompts, **WISHES)
            alone = llm.generate(prompts, **WISHES)
            assert [content(output) for output in several] == [content(output) for output in alone]
            samples = await other.generate("the", num_return_sequences=3, **WISHES)
            expected = llm.generate("the", num_return_sequences=3, **WISHES)
            assert [content(output) for output in samples] == [
                content(output) for output in expected
            ]
            assert await other.generate([]) == []
            ahead = {"temperature": 0.7, "top_k": 5}
            assert await other.next("the cat", 4, **ahead) == llm.next("the cat", 4, **ahead)
            assert await other.score("the cat sat", 2) == llm.score("the cat sat", 2)
            assert other.info == llm.info
            assert other.tokenizer.encode("a") == llm.tokenizer.encode("a")
            assert other.recommended == {}
            await settled(other)

    run(main)


def test_chunks_are_llms_and_tell_whose_they_are():
    llm = toy_llm()
    prompts = ["the cat", "a"]
    wishes = {**WISHES, "num_return_sequences": 2}
    expected = llm.generate(prompts, **wishes)

    async def main() -> None:
        async with toy_async_llm() as other:
            chunks = [chunk async for chunk in other.stream(prompts, **wishes)]
            for place, output in enumerate(expected):
                key = (place // 2, place % 2)
                own = [chunk for chunk in chunks if (chunk.prompt_index, chunk.index) == key]
                assert "".join(chunk.text for chunk in own) == output.text
                assert [token for chunk in own for token in chunk.token_ids] == output.token_ids
                assert content(own[-1].require_output()) == content(output)
            await settled(other)

    run(main)


def test_chat_uses_the_models_template():
    metadata_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}a:"
    tokenizer = toy_tokenizer()
    tokenizer.chat_template = metadata_template
    messages = [{"role": "user", "content": "the cat"}]
    expected = LLM(scripted(), tokenizer=tokenizer).chat(messages, **WISHES)

    async def main() -> None:
        async with AsyncLLM(scripted(), tokenizer=tokenizer) as llm:
            assert content(await llm.chat(messages, **WISHES)) == content(expected)
            chunks = [chunk async for chunk in llm.stream_chat(messages, **WISHES)]
            assert content(chunks[-1].require_output()) == content(expected)
            with pytest.raises(RequestError, match="messages"):
                await llm.chat([], max_new_tokens=1)
            await settled(llm)

    run(main)


def test_requests_of_many_tasks_share_steps():
    backend = GatedBackend()
    wishes = {"max_new_tokens": 9, "ignore_eos": True}

    async def main() -> None:
        async with toy_async_llm(backend) as llm:
            first = asyncio.create_task(llm.generate("z", **wishes))
            await asyncio.to_thread(backend.is_waiting.wait)
            others: list[asyncio.Task[object]] = [
                asyncio.create_task(llm.generate("the cat", **wishes)) for _ in range(5)
            ]
            others.append(asyncio.create_task(llm.next("a")))
            await until_queued(llm, 6)
            backend.open()
            await asyncio.gather(first, *others)
            sizes = [len(batch.starts) - 1 for batch in backend.batches]
            assert sizes[0] == 1
            assert sizes[1] >= 6  # nearly all that came while the first step was held
            assert len(sizes) < 2 * 9
            await settled(llm)

    run(main)


def test_lower_priorities_run_earlier():
    backend = GatedBackend()
    ended: list[int] = []

    async def ask(llm: AsyncLLM, priority: int) -> None:
        await llm.generate("the cat", max_new_tokens=2, priority=priority)
        ended.append(priority)

    async def main() -> None:
        async with toy_async_llm(backend, max_running=1) as llm:
            first = asyncio.create_task(llm.generate("z", max_new_tokens=2))
            await asyncio.to_thread(backend.is_waiting.wait)
            tasks = [asyncio.create_task(ask(llm, priority)) for priority in (2, 0, 1)]
            await until_queued(llm, 3)
            backend.open()
            await asyncio.gather(first, *tasks)
            assert ended == [0, 1, 2]

    run(main)


def test_settings_are_refused_where_they_are_given():
    async def main() -> None:
        async with toy_async_llm() as llm:
            with pytest.raises(ConfigError, match="temperature"):
                llm.stream("a", temperature=-1)
            with pytest.raises(ConfigError, match="not_a_setting"):
                await llm.generate("a", not_a_setting=1)
            with pytest.raises(ConfigError, match="top=0"):
                await llm.next("a", 0)
            with pytest.raises(ConfigError, match="seed=1 has no effect"):
                await llm.next("a", seed=1)
            with pytest.raises(RequestError, match="no tokens"):
                await llm.generate("")
            with pytest.raises(RequestError, match=r"prompts\[1\]"):
                await llm.generate(["a", []], max_new_tokens=2)
            with pytest.raises(RequestError, match="prompt=None"):
                await llm.generate(None)
            assert (await settled(llm)).steps == 0

    run(main)


def test_a_warning_points_to_the_callers_line():
    async def main() -> None:
        async with toy_async_llm() as llm:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                llm.stream("a", max_new_tokens=1, temperature=5.0, seed=1)
                await llm.generate("a", max_new_tokens=1, temperature=5.0, seed=1)
                with pytest.raises(RequestError, match="no chat template"):
                    await llm.chat([{"role": "user", "content": "a"}], temperature=5.0)
            assert [Path(warning.filename).name for warning in caught] == [Path(__file__).name] * 3
            assert {warning.category for warning in caught} == {SettingWarning}

    run(main)


def test_arguments_are_those_of_llm():
    with pytest.raises(TypeError, match="no_such"):
        AsyncLLM(no_such=1)

    async def main() -> None:
        with pytest.raises(ConfigError, match="max_running=0"):
            await toy_async_llm(max_running=0).__aenter__()
        with pytest.raises(ModelNotFoundError):
            async with AsyncLLM("no/such/model.gguf"):
                pass

    run(main)


def test_it_may_be_opened_without_a_block():
    async def main() -> None:
        made = toy_async_llm()
        other = await made.open()
        assert other is made
        one = await other.generate("the cat", **WISHES)
        assert content(one) == content(toy_llm().generate("the cat", **WISHES))
        with pytest.raises(RequestError, match="opened already"):
            await other.open()
        with pytest.raises(RequestError, match="opened already"):
            async with other:
                pass
        await other.close()
        with pytest.raises(RequestError, match="closed"):
            await other.generate("the cat")

    run(main)


def test_what_cannot_be_opened_says_so():
    async def main() -> None:
        with pytest.raises(ModelNotFoundError, match="no-such-model"):
            await AsyncLLM("no-such-model").open()
        with pytest.raises(RequestError, match=r"await its open\(\)"):
            await AsyncLLM("no-such-model").generate("the")

    run(main)


def test_it_must_be_open():
    llm = toy_async_llm()
    for use in (lambda: llm.info, lambda: llm.tokenizer, lambda: llm.stream("a")):
        with pytest.raises(RequestError, match="not open"):
            use()

    async def main() -> None:
        with pytest.raises(RequestError, match="not open"):
            await llm.generate("a")
        await llm.close()
        async with llm:
            with pytest.raises(RequestError, match="opened already"):
                await llm.__aenter__()
        await llm.close()
        for use in (llm.generate("a", max_new_tokens=1), llm.stats(), llm.next("a")):
            with pytest.raises(RequestError, match="closed"):
                await use

    run(main)


def test_a_closed_one_has_let_go_of_its_model():
    backend = scripted()
    llm, kept = toy_async_llm(backend), [weakref.ref(backend)]
    del backend

    async def main() -> None:
        async with llm:
            await llm.generate("the cat", max_new_tokens=2)
            await llm.next("the cat")
            kept.append(await _ask(llm._worker, lambda opened: weakref.ref(engine_of(opened))))
        gc.collect()
        assert [ref() for ref in kept] == [None, None]
        assert (llm.info.vocab_size, llm.recommended) == (VOCAB_SIZE, {})
        assert llm.tokenizer.encode("a")
        for use in (
            llm.generate("a" * 10_000),
            llm.generate(["a", "b"]),
            llm.generate([]),
            llm.alternatives("a"),
            llm.compare("a", {"greedy": {}}),
        ):
            with pytest.raises(RequestError, match=r"^this AsyncLLM is closed: make another$"):
                await use
        with pytest.raises(ConfigError, match="top_p=2"):
            await llm.generate("a", top_p=2)

    run(main)


def test_so_many_may_wait_and_no_more():
    backend = GatedBackend()
    wishes = {"max_new_tokens": 40, "ignore_eos": True}

    async def main() -> None:
        async with toy_async_llm(backend, max_waiting=2, max_running=1) as llm:
            tasks = [asyncio.create_task(llm.generate("z", **wishes))]
            await asyncio.to_thread(backend.is_waiting.wait)
            for number in (1, 2, 3):
                tasks.append(asyncio.create_task(llm.generate("a", **wishes)))
                await until_queued(llm, number)
            late = tasks.pop()
            while not late.done():
                backend.release()
                await asyncio.sleep(0.001)
            with pytest.raises(QueueFullError, match="max_waiting=2"):
                await late
            backend.open()
            outputs = await asyncio.gather(*tasks)
            assert [len(output.token_ids) for output in outputs] == [40] * 3
            assert len(await llm.generate(["a"] * 20, max_new_tokens=2)) == 20
            await settled(llm)

    run(main)


def test_a_failing_step_ends_its_requests_and_no_later_ones():
    class Broken(ScriptedBackend):
        def forward(self, batch: Batch) -> Logits:
            if 7 in batch.tokens:
                raise OSError("the machine is on fire")
            return super().forward(batch)

    backend = Broken(SCRIPT, vocab_size=VOCAB_SIZE)

    async def main() -> None:
        async with toy_async_llm(backend) as llm:
            asked = [llm.generate([7], max_new_tokens=2), llm.generate([[7], [7]])]
            errors = await asyncio.gather(*asked, return_exceptions=True)
            for error in errors:
                assert isinstance(error, ForetellError)
                assert "the machine is on fire" in str(error)
            assert isinstance(errors[0].__cause__, OSError)
            assert len((await llm.generate([8], max_new_tokens=2)).token_ids) == 2
            await settled(llm)

    run(main)


def test_a_numerical_error_ends_one_request_only():
    def script(history: tuple[int, ...]) -> Any:
        row = SCRIPT(history)
        return np.full_like(row, np.nan) if history[0] == 7 and len(history) == 3 else row

    async def main() -> None:
        async with toy_async_llm(scripted(script)) as llm:
            asked = [
                llm.generate([7], max_new_tokens=9, num_return_sequences=2, top_k=3),
                llm.generate([8], max_new_tokens=9),
            ]
            bad, good = await asyncio.gather(*asked, return_exceptions=True)
            assert isinstance(bad, NumericalError)
            assert len(good.token_ids) == 9
            await settled(llm)

    run(main)


@pytest.mark.parametrize("error", [KeyError("the user's"), SystemExit("the user's")])
def test_what_a_users_function_raises_is_its_callers(error: BaseException):
    def leaves(text: str, token_ids: list[int]) -> bool:
        raise error

    async def main() -> None:
        async with toy_async_llm() as llm:
            other = asyncio.create_task(llm.generate("b", max_new_tokens=30, ignore_eos=True))
            with pytest.raises(type(error), match="the user's"):
                await llm.generate("a", max_new_tokens=9, stopping_criteria=leaves)
            assert len((await other).token_ids) == 30
            await settled(llm)

    run(main)


def test_the_default_model_answers_alike(default_model_path: Path):
    prompts = ["The cat sat on the", "Once upon a time", "def f(x):"]
    wishes = {"max_new_tokens": 8, "temperature": 0.8, "top_k": 40, "seed": 5, "logprobs": 0}
    messages = [{"role": "user", "content": "Say hello."}]
    with LLM(default_model_path) as llm:
        expected = [content(output) for output in llm.generate(prompts, **wishes)]
        answer = content(llm.chat(messages, **wishes))

    async def main() -> None:
        async with AsyncLLM(default_model_path) as other:
            asked = [other.generate(prompt, **wishes) for prompt in prompts]
            *outputs, chat = await asyncio.gather(*asked, other.chat(messages, **wishes))
            assert [content(output) for output in outputs] == expected
            assert content(chat) == answer
            await settled(other)

    run(main)


def test_the_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    example = (AsyncLLM.__doc__ or "").split("\n\n")[1]
    source = "async def main():\n" + textwrap.indent(textwrap.dedent(example), "    ")
    names: dict[str, Any] = {"AsyncLLM": toy_async_llm}
    exec(source, names)
    run(names["main"])
    assert capsys.readouterr().out


def test_it_is_public():
    assert foretell.AsyncLLM is AsyncLLM
    assert "AsyncLLM" in dir(foretell)
