"""Alternatives at a position: which they are, and where each leads."""

from __future__ import annotations

import json
import math

import pytest
from support.toy import EOS, toy_llm, toy_tokenizer
from support.toy_beam_search import PROMPT, script

from foretell import Alternatives
from foretell.utils.display import width_of


def found(*arguments, **wishes) -> Alternatives:
    with toy_llm(script) as llm:
        return llm.alternatives(*arguments, **wishes)


def test_they_are_the_likeliest_next_tokens():
    with toy_llm(script) as llm:
        view, odds = llm.alternatives(PROMPT, top=7), llm.next(PROMPT, 7).tokens
    assert [(one.token_id, one.token, one.bytes) for one in view.alternatives] == [
        (one.token_id, one.token, one.bytes) for one in odds
    ]
    assert [one.logprob for one in view.alternatives] == pytest.approx([o.logprob for o in odds])
    assert [one.rank for one in view.alternatives] == [*range(1, 8)]
    assert (view.position, view.chosen_token_id) == (len(toy_tokenizer().encode(PROMPT)), None)
    assert not any(one.is_chosen for one in view.alternatives)


def test_each_goes_on_as_greedy_decoding_would():
    ids = toy_tokenizer().encode(PROMPT)
    with toy_llm(script) as llm:
        view = llm.alternatives(PROMPT, top=8, max_new_tokens=6)
        for one in view.alternatives:
            assert one.token_ids[0] == one.token_id
            if one.token_id == EOS:
                assert (one.text, one.token_ids, one.finish_reason) == ("", [EOS], "stop")
                continue
            rest = llm.generate([*ids, one.token_id], max_new_tokens=5)
            assert one.token_ids == [one.token_id, *rest.token_ids]
            assert one.finish_reason == rest.finish_reason
    assert EOS in [one.token_id for one in view.alternatives]
    first = view.alternatives[0]
    assert first.text == toy_llm(script).generate(PROMPT, max_new_tokens=6).text


def test_within_a_prompt_the_token_that_stands_there_is_known():
    with toy_llm(script) as llm:
        output = llm.generate(PROMPT, max_new_tokens=4)
        whole = [*output.prompt_token_ids, *output.token_ids]
        end = len(output.prompt_token_ids)
        view = llm.alternatives(whole, end, top=3, max_new_tokens=4)
    assert (view.prompt, view.prompt_token_ids) == (PROMPT, whole[:end])
    assert (view.position, view.chosen_token_id) == (end, whole[end])
    assert [one.is_chosen for one in view.alternatives] == [True, False, False]
    assert view.alternatives[0].token_ids == output.token_ids


@pytest.mark.parametrize("position", [0, 2, 5, None])
def test_within_an_output_positions_count_generated_tokens(position):
    with toy_llm(script) as llm:
        output = llm.generate(PROMPT, max_new_tokens=5, temperature=1.5, seed=3, ignore_eos=True)
        view = llm.alternatives(output, position, top=20)
        kept = 5 if position is None else position
        before = [*output.prompt_token_ids, *output.token_ids[:kept]]
        same = llm.alternatives(before, top=20)
    assert view.prompt_token_ids == before
    assert [one.text for one in view.alternatives] == [one.text for one in same.alternatives]
    assert view.position == kept
    if kept == 5:
        assert view.chosen_token_id is None
    else:
        assert view.chosen_token_id == output.token_ids[kept]
        assert [one.is_chosen for one in view.alternatives].count(True) == 1


def test_special_tokens_count_as_such_only_if_they_are_to():
    assert found("<|end|>a", parse_special=True).prompt_token_ids[0] == EOS
    assert EOS not in found("<|end|>a").prompt_token_ids


def test_they_turn_into_json_and_into_a_table():
    view = found(PROMPT * 40, 1, top=6)
    plain = json.loads(json.dumps(view.to_dict()))
    assert plain["alternatives"][1]["token_id"] == view.alternatives[1].token_id
    lines = str(view).split("\n")
    assert len(lines) == 1 + 6
    assert all(width_of(line) <= 100 for line in lines)
    odds = f"{math.exp(view.alternatives[0].logprob):.2%}"
    assert odds in lines[1]
    assert any(line.startswith("→") for line in lines) == any(
        one.is_chosen for one in view.alternatives
    )


def test_the_continuations_share_batches():
    llm = toy_llm(script)
    llm.alternatives(PROMPT, top=4, max_new_tokens=5)
    assert max(len(batch.logits_indices) for batch in llm.backend.batches) >= 3
