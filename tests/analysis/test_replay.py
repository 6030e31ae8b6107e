"""Texts made again from their receipts: identical, or where they part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.toy import toy_llm
from support.toy_async import run, toy_async_llm
from support.toy_chat import chatting_llm
from support.toy_infill import PREFIX, SUFFIX, infill_llm

from foretell import LLM, ConfigError, GenerationOutput, Receipt, ReceiptError, RequestError

WISHES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampled": {"temperature": 1.5},
    "samples": {"temperature": 1.5, "num_return_sequences": 3},
    "beams": {"num_beams": 3, "num_return_sequences": 2},
    "groups": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
    "stochastic": {"num_beams": 3, "stochastic_beams": True, "num_return_sequences": 2},
    "words": {"num_beams": 3, "force_words": ["cat"]},
    "schema": {"json_schema": {"type": "array", "items": {"type": "integer"}}, "temperature": 1.0},
    "regex": {"regex": "[a-f]{3,6}", "max_new_tokens": None},
    "choices": {"choices": ["the cat", "a dog"]},
    "guided": {"guidance_scale": 2.0, "negative_prompt": "a dog"},
    "stops": {"stop_regex": "[a-z]", "temperature": 2.0, "max_new_tokens": 60},
    "healed": {"token_healing": True, "temperature": 1.0},
    "marked": {"watermark": True, "temperature": 1.0},
    "mirostat": {"mirostat": 2},
    "llama.cpp": {"dialect": "llama.cpp", "temperature": 1.3},
    "preset": {"preset": "creative"},
    "no limit": {"max_new_tokens": None, "temperature": 2.0},
    "hardly any time": {"max_new_tokens": None, "max_time": 1e-9, "temperature": 2.0},
    "logprobs": {"logprobs": 3, "logprobs_stage": "final", "temperature": 0.9},
}


def several(found: GenerationOutput | list[GenerationOutput]) -> list[GenerationOutput]:
    return found if isinstance(found, list) else [found]


def again(output: GenerationOutput) -> Receipt:
    return Receipt.from_json(output.receipt.to_json())


@pytest.mark.parametrize("settings", WISHES.values(), ids=WISHES)
def test_all_kinds_are_identical(settings: dict[str, Any]) -> None:
    with toy_llm(num_blocks=200) as llm:
        outputs = several(llm.generate("the ca", **{"max_new_tokens": 12, **settings}))
    with toy_llm(num_blocks=50, block_size=8, max_batch_tokens=16) as other:
        for output in outputs:
            view = other.replay(again(output))
            assert view.identical, str(view)
            assert view.verdict.startswith(f"identical: {len(output.token_ids)} token")
            assert view.output.text == output.text


def test_chats_and_gaps() -> None:
    with chatting_llm() as llm:
        output = llm.chat([{"role": "user", "content": "hello"}], temperature=1.0)
        assert llm.replay(again(output)).identical
    with infill_llm() as llm:
        output = llm.infill(PREFIX, SUFFIX, max_new_tokens=8)
        assert llm.replay(again(output)).identical


def test_in_a_list_and_in_company() -> None:
    with toy_llm(num_blocks=200) as llm:
        outputs = several(llm.generate(["a", "the cat", "b"], max_new_tokens=9, temperature=1.5))
        assert all(llm.replay(again(output)).identical for output in outputs)


def changed(llm: LLM, position: int, **settings: Any) -> tuple[Receipt, int]:
    """A receipt with another token at a position, and the one that belongs there."""
    settings = {"max_new_tokens": 8, **settings}
    receipt = several(llm.generate("the cat", **settings))[0].receipt
    ids = [*receipt.token_ids]
    was, ids[position] = ids[position], 3 if ids[position] != 3 else 4
    return replace(receipt, token_ids=tuple(ids)), was


@pytest.mark.parametrize(
    "settings",
    [{}, {"temperature": 0.8, "top_k": 20}, {"num_beams": 3}, {"token_healing": True}],
    ids=["greedy", "sampled", "beams", "healed"],
)
def test_the_first_token_that_differs_is_named_with_what_the_model_says(settings) -> None:
    with toy_llm(num_blocks=200) as llm:
        receipt, was = changed(llm, 2, logprobs=4, **settings)
        found = llm.replay(receipt).difference
        assert found is not None
        assert (found.kind, found.position) == ("token", 2)
        assert (found.then, found.now) == (receipt.token_ids[2], was)
        then = receipt.logprobs[2]
        odds = {one.token_id: one for one in found.odds}
        prompt = [*llm.replay(receipt).output.prompt_token_ids, *receipt.token_ids[:3]]
        score = llm.score(prompt, top=10).tokens[-1]
        assert odds[receipt.token_ids[2]].now == score.logprob
        assert odds[receipt.token_ids[2]].then == then.logprob
        for one in score.top:
            assert odds[one.token_id].now == one.logprob
        if "num_beams" not in settings:
            assert odds[was].final is not None
        text = llm.replay(receipt).verdict
    assert text.startswith("token 2 differs: then ")
    assert "log-probability" in text


def test_without_logprobs_it_says_how_to_keep_them() -> None:
    with toy_llm(num_blocks=200) as llm:
        receipt, _ = changed(llm, 0)
        assert "logprobs=5 keeps some" in str(llm.replay(receipt))


def test_a_text_that_ended_earlier_or_later() -> None:
    with toy_llm(num_blocks=200) as llm:
        receipt = llm.generate("the cat", max_new_tokens=8).receipt
        longer = replace(receipt, token_ids=(*receipt.token_ids, 5), num_tokens=9)
        found = llm.replay(longer).difference
        assert (found.position, found.then, found.now) == (8, 5, None)
        shorter = replace(receipt, token_ids=receipt.token_ids[:5], num_tokens=5)
        found = llm.replay(shorter).difference
        assert (found.position, found.then, found.now) == (5, None, receipt.token_ids[5])


@pytest.mark.parametrize(
    ("changes", "kind", "told"),
    [
        ({"text": "other"}, "text", "the text differs: then 'other', now"),
        ({"stop_kind": "eos"}, "end", "the end differs"),
        ({"score": 0.5}, "score", "the score differs: then 0.5, now None"),
    ],
)
def test_what_else_may_differ(changes: dict[str, Any], kind: str, told: str) -> None:
    with toy_llm(num_blocks=200) as llm:
        receipt = llm.generate("the cat", max_new_tokens=8).receipt
        view = llm.replay(replace(receipt, **changes))
    assert view.difference is not None
    assert (view.identical, view.difference.kind) == (False, kind)
    assert told in str(view)


def test_the_last_bit_of_a_log_probability_counts() -> None:
    with toy_llm(num_blocks=200) as llm:
        receipt = llm.generate("the cat", max_new_tokens=8, logprobs=1).receipt
        facts = [*receipt.logprobs]
        facts[3] = replace(facts[3], logprob=facts[3].logprob * (1 + 2**-50))
        view = llm.replay(replace(receipt, logprobs=tuple(facts)))
    assert (view.difference.kind, view.difference.position) == ("logprob", 3)


def test_another_model_is_told_and_run_all_the_same() -> None:
    with toy_llm(num_blocks=200) as llm:
        receipt = llm.generate("the cat", max_new_tokens=8, preset="creative").receipt
        assert "not known" in llm.replay(receipt).changed[0]  # objects have no hash
        model = replace(
            receipt.model, sha256="a" * 64, tokenizer_sha256="b" * 64, options={"kv_dtype": "q8"}
        )
        settings = {**receipt.settings, "top_p": 0.123}
        view = llm.replay(replace(receipt, model=model, foretell="9.9", settings=settings))
    assert view.identical
    told = "\n".join(view.changed)
    for part in ("foretell 9.9 made", "the tokenizer is another: sha256 bbbbbbbbbbbb…", "kv_dtype"):
        assert part in told
    assert "top_p was 0.123: here" in told


def test_functions_are_to_be_given() -> None:
    def ban(row, history):
        row[7] = -float("inf")

    with toy_llm(num_blocks=200) as llm:
        receipt = again(llm.generate("the cat", max_new_tokens=8, logits_processor=ban))
        assert receipt.functions == ("logits_processor",)
        with pytest.raises(RequestError, match="lacks the function that was logits_processor"):
            llm.replay(receipt)
        with pytest.raises(RequestError, match="functions has 'temperature'"):
            llm.replay(receipt, functions={"logits_processor": ban, "temperature": 1})
        assert llm.replay(receipt, functions={"logits_processor": ban}).identical


def test_settings_that_make_no_sense_are_refused() -> None:
    with toy_llm(num_blocks=200) as llm:
        receipt = llm.generate("the cat", max_new_tokens=8, temperature=0.5).receipt
        wrong = replace(receipt, settings={**receipt.settings, "temperature": "hot"})
        with pytest.raises(ConfigError, match="temperature"):
            llm.replay(wrong)
        with pytest.raises(RequestError, match="out of range"):
            llm.replay(replace(receipt, prompt_token_ids=(2**31 - 1,)))
        with pytest.raises(RequestError, match="no tokens"):
            llm.replay(replace(receipt, prompt_token_ids=()))


@pytest.mark.parametrize(
    ("settings", "changes", "message"),
    [
        ({"num_beams": 3}, {"index": 5}, "of sample 5, but its settings ask for 1 sample"),
        ({"temperature": 1.0}, {"index": 2**31 - 1}, "of sample 2147483647"),
        ({}, {"settings": {"dialect": "transformers", "seed": []}, "stated": ("seed",)}, "seed"),
        ({}, {"settings": {"dialect": "x", "stop": {}}, "stated": ("stop", "dialect")}, "stop"),
    ],
)
def test_hostile_receipts_are_refused(settings, changes, message) -> None:
    with toy_llm(num_blocks=200) as llm:
        receipt = llm.generate("the cat", max_new_tokens=3, **settings).receipt
        with pytest.raises((ConfigError, RequestError), match=message):
            llm.replay(replace(receipt, **changes))


def test_hostile_receipts_are_told_in_one_line() -> None:
    with toy_llm(num_blocks=200) as llm:
        receipt = llm.generate("the cat", max_new_tokens=3).receipt
        ids = (2**31 - 1, *receipt.token_ids[1:])
        settings = {**receipt.settings, "logprobs_stage": 5, "dialect": "\x1b[31m"}
        version = "1\n\x1b[2J" + "x" * 1000
        view = llm.replay(replace(receipt, token_ids=ids, settings=settings, foretell=version))
    assert (view.difference.then, view.difference.now) == (2**31 - 1, receipt.token_ids[0])
    assert view.difference.odds[0].token == "<2147483647>"
    assert all(len(sentence) < 400 and sentence.isprintable() for sentence in view.changed)


def test_a_receipt_may_lie_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    with toy_llm(num_blocks=200) as llm:
        llm.generate("the cat", max_new_tokens=6, temperature=1.5).receipt.save(path)
        assert llm.replay(path).identical
        assert llm.replay(str(path)).identical
        with pytest.raises(ReceiptError, match=r"none\.json is missing"):
            llm.replay(tmp_path / "none.json")


@pytest.mark.parametrize(
    "make", [lambda one: one, lambda one: one.receipt.to_dict(), lambda _: None]
)
def test_what_is_no_receipt_is_refused_in_a_sentence(make: Callable[[Any], Any]) -> None:
    with toy_llm(num_blocks=200) as llm:
        output = llm.generate("the cat", max_new_tokens=2)
        with pytest.raises(ReceiptError, match=r"must be a Receipt, such as output\.receipt"):
            llm.replay(make(output))


def test_in_asyncio(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy_async_llm() as llm:
            output = await llm.generate("the cat", max_new_tokens=8, temperature=1.5)
            view = await llm.replay(again(output))
            assert view.identical
            output.receipt.save(tmp_path / "receipt.json")
            assert (await llm.replay(tmp_path / "receipt.json")).identical
            with pytest.raises(ReceiptError, match="must be a Receipt"):
                await llm.replay(output)
            ids = (*output.receipt.token_ids[:3], 5)
            view = await llm.replay(replace(output.receipt, token_ids=ids))
            assert view.difference.position in (3, 4)

    run(main)
