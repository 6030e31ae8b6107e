"""What docs/chapter.md says of the chapter's own code is so, and foretell does better.

The chapter's functions (`chapter_code.py`) run on a tiny random GPT-2 of transformers, or on a
script that both they and foretell are given.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from support.chapter_code import (
    CONTEXT_LENGTH,
    EOS_TEXT,
    CountingModel,
    apply_repetition_penalty,
    beam_search,
    check_stop_strings,
    generate,
    model_of,
    save_tiny_gpt2,
    stream,
    temperature_sample,
    tiny_tokenizer,
    top_k_filter,
    top_p_sample,
)
from support.toy import EOS, VOCAB_SIZE, reciting_llm, toy_llm
from tokenizers import Tokenizer, decoders, models
from transformers import AutoModelForCausalLM, TextStreamer

from foretell import ConfigError, RequestError, SettingWarning
from foretell.backends.scripted import improvise

PROMPT = "Hello, I am"
KOREAN = "안녕, 고양이 🐱"


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return AutoModelForCausalLM.from_pretrained(save_tiny_gpt2(tmp_path_factory.mktemp("gpt2")))


@pytest.fixture(scope="module")
def prompt(tokenizer):
    return tokenizer.encode(PROMPT, return_tensors="pt")


# 2. The loop


def test_the_loop_computes_the_whole_prefix_for_every_token(model, prompt):
    counting = CountingModel(model)
    num_tokens = generate(counting, prompt, 8, -1).shape[1] - prompt.shape[1]
    length = prompt.shape[1]
    assert counting.positions == num_tokens * length + num_tokens * (num_tokens - 1) // 2


def test_foretell_computes_each_position_once():
    with toy_llm() as llm:
        llm.generate([1, 2, 3, 4, 5], max_new_tokens=20, ignore_eos=True)
        computed = sum(len(batch.tokens) for batch in llm.backend.batches)
    assert computed == 5 + 20 - 1


def test_the_loop_takes_no_batch(model, prompt):
    with pytest.raises(RuntimeError, match="Tensor with 2 elements cannot be converted to Scalar"):
        generate(model, prompt.repeat(2, 1), 3, -1)


def test_the_loop_answers_with_the_prompt_and_the_name_of_the_end(tokenizer):
    eos = tokenizer.eos_token_id
    ends = model_of(lambda history: np.eye(len(tokenizer), dtype=np.float32)[eos])
    ids = generate(ends, tokenizer.encode(PROMPT, return_tensors="pt"), 5, eos)
    assert tokenizer.decode(ids[0]) == PROMPT + EOS_TEXT
    with reciting_llm("The cat") as llm:
        assert llm.generate("The", max_new_tokens=9).text == " cat"


def test_the_loop_falls_off_the_end_of_the_context(model):
    nearly_full = torch.ones(1, CONTEXT_LENGTH - 2, dtype=torch.long)
    assert generate(model, nearly_full, 3, -1).shape[1] == CONTEXT_LENGTH + 1
    with pytest.raises(IndexError, match="index out of range in self"):
        generate(model, nearly_full, 4, -1)
    with toy_llm(context_length=16) as llm:
        output = llm.generate([1, 2, 3], ignore_eos=True)
        assert output.stop_reason.kind == "context"
        with pytest.raises(RequestError, match="the context has 16"):
            llm.generate([1] * 12, max_new_tokens=8)


# 3. Sampling


def test_temperature_zero_breaks_the_draw_and_a_negative_one_picks_the_least_likely():
    with pytest.raises(RuntimeError, match="probability tensor contains either `inf`, `nan`"):
        temperature_sample(torch.tensor([[2.0, 1.0, 0.0]]), 0.0)
    logits = torch.tensor([[10.0, 5.0, 0.0, -10.0]])
    assert temperature_sample(logits, -0.1).item() == 3
    with toy_llm() as llm:
        cold = llm.generate([1, 2], max_new_tokens=5, temperature=0)
        assert cold.token_ids == llm.generate([1, 2], max_new_tokens=5).token_ids
        with pytest.raises(ConfigError, match="temperature=-1"):
            llm.generate([1, 2], temperature=-1)


def test_top_p_writes_into_its_callers_logits():
    logits = torch.tensor([[3.0, 2.0, 1.0, 0.0]])
    top_p_sample(logits, 0.5)
    assert logits.tolist() == [[3.0, -torch.inf, -torch.inf, -torch.inf]]


def test_top_k_fails_above_the_vocabulary_and_breaks_ties():
    with pytest.raises(RuntimeError, match="selected index k out of range"):
        top_k_filter(torch.zeros(1, 10), 50)
    assert torch.isfinite(top_k_filter(torch.zeros(1, 10), 3)).sum() == 3
    with toy_llm(lambda history: np.zeros(VOCAB_SIZE, dtype=np.float32)) as llm:
        assert llm.next([1], top_k=3).candidates == VOCAB_SIZE
        with pytest.warns(SettingWarning, match="1 to 100 is the useful range"):
            assert llm.next([1], top_k=10**6).candidates == VOCAB_SIZE


def test_torch_draws_a_row_otherwise_in_a_batch_than_alone():
    even = torch.full((2, 4), 0.25)
    told = []
    for seed in range(8):
        torch.manual_seed(seed)
        in_batch = torch.multinomial(even, 1)[1].item()
        torch.manual_seed(seed)
        told.append(in_batch == torch.multinomial(even[1:], 1)[0].item())
    assert not all(told)
    settings = {"temperature": 1.0, "seed": 5, "max_new_tokens": 8}
    with toy_llm() as llm:
        together = llm.generate([[1, 2, 3], [4, 5]], **settings)
        assert together[1].token_ids == llm.generate([4, 5], **settings).token_ids


# 4. Beam search


def fork(history):
    """Token 1 is a little likelier than 2; after 1 the text may end, after 2 it goes on surely."""
    after = {(0,): {1: 0.55, 2: 0.45}, (0, 1): {EOS: 0.6, 3: 0.4}}
    odds = after.get(history, {3: 0.9, EOS: 0.1} if len(history) < 6 else {EOS: 1.0})
    row = np.full(VOCAB_SIZE, -30.0, dtype=np.float32)
    row[list(odds)] = np.log(list(odds.values()))
    return row


def test_the_sum_favours_short_texts():
    beams = beam_search(model_of(fork), torch.tensor([[0]]), 2, 8, EOS)
    assert beams[0][0].tolist() == [[0, 1, EOS]]
    with toy_llm(fork) as llm:
        settings = {"num_beams": 2, "max_new_tokens": 8}
        by_mean = llm.generate([0], **settings)
        assert by_mean.token_ids == [2, 3, 3, 3, 3, EOS]
        by_sum = llm.generate([0], length_penalty=0.0, **settings)
        assert by_sum.token_ids == [1, EOS]
        assert by_sum.score == pytest.approx(beams[0][1], rel=1e-5)


def test_a_finished_text_takes_a_place_from_the_search():
    counting = CountingModel(model_of(fork))
    beam_search(counting, torch.tensor([[0]]), 2, 4, EOS)
    # 1 beam of 1 token, 2 of 2, then 1 live beam of 3 and of 4: the other place holds [0, 1, EOS]
    assert counting.positions == 1 + 2 * 2 + 3 + 4


def test_beams_compute_their_whole_past_each(model, prompt):
    counting = CountingModel(model)
    beam_search(counting, prompt, 5, 6, -1)
    length = prompt.shape[1]
    assert counting.positions == length + 5 * sum(length + step for step in range(1, 6))
    with toy_llm() as llm:
        ids = list(range(1, length + 1))
        llm.generate(ids, num_beams=5, max_new_tokens=6, ignore_eos=True)
        computed = sum(len(batch.tokens) for batch in llm.backend.batches)
    assert computed == length + 5 * 5


# 5. Penalties


def test_the_penalty_reaches_the_first_row_alone():
    logits = apply_repetition_penalty(torch.ones(2, 4), torch.tensor([1, 2]), 2.0)
    assert logits.tolist() == [[1.0, 0.5, 0.5, 1.0], [1.0, 1.0, 1.0, 1.0]]
    with pytest.raises(TypeError, match="unhashable type: 'list'"):
        apply_repetition_penalty(logits, torch.tensor([[1, 2], [1, 3]]), 2.0)
    settings = {"repetition_penalty": 2.0, "max_new_tokens": 12, "ignore_eos": True}
    with toy_llm() as llm:
        together = llm.generate([[1, 2, 3], [1, 2, 3]], **settings)
        assert together[0].token_ids == together[1].token_ids
        assert len(set(together[1].token_ids)) == 12  # each token a new one


def test_the_penalty_takes_zero_and_writes_into_its_callers_logits():
    logits = torch.tensor([[1.0, -1.0]])
    apply_repetition_penalty(logits, torch.tensor([0]), 0.0)
    assert logits[0, 0] == torch.inf
    with toy_llm() as llm, pytest.raises(ConfigError, match="repetition_penalty=0"):
        llm.generate([1], repetition_penalty=0)


# 6. Stops


def test_the_check_sees_the_prompt_and_does_not_cut():
    assert check_stop_strings("### Question\nWhat", ["###"])
    with reciting_llm("### Q: one###two") as llm:
        output = llm.generate("### Q:", stop=["###"], max_new_tokens=30)
        assert output.text == " one"
        free = ""
        for token_id in llm.generate("### Q:", max_new_tokens=30).token_ids:
            free += llm.tokenizer.decode([token_id])
            if check_stop_strings(free, ["###"]):
                break
    assert free == " one###"


def test_a_stop_string_of_several_tokens_leaks_into_a_stream_that_checks_afterwards(tokenizer):
    ids = tokenizer.encode("a###")
    pieces = [tokenizer.decode([token_id]) for token_id in ids]
    assert [check_stop_strings("".join(pieces[:n]), ["###"]) for n in (2, 3, 4)] == [0, 0, 1]
    with reciting_llm("a###") as llm:
        assert "".join(chunk.text for chunk in llm.stream("a", stop=["###"])) == ""


# 7. Streaming


def test_characters_come_in_pieces_and_the_end_by_name(tokenizer):
    ids = [*tokenizer.encode(KOREAN), tokenizer.eos_token_id]
    rows = np.eye(len(tokenizer), dtype=np.float32)
    recites = model_of(lambda history: rows[ids[len(history) - 1]])
    pieces = list(stream(recites, tokenizer, torch.tensor([[0]]), 60))
    assert "�" in "".join(pieces)
    assert pieces[-1] == EOS_TEXT
    with reciting_llm("x" + KOREAN) as llm:
        assert "".join(chunk.text for chunk in llm.stream("x")) == KOREAN


def test_sentencepiece_tokenizers_strip_the_space_of_every_token():
    words = {"▁Once": 0, "▁upon": 1, "▁a": 2, "▁time": 3}
    like_llama = Tokenizer(models.BPE(vocab=words, merges=[]))
    like_llama.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    assert like_llama.decode([0, 1, 2, 3]) == "Once upon a time"
    assert "".join(like_llama.decode([token_id]) for token_id in range(4)) == "Onceuponatime"


# 8. transformers' generate()


def test_transformers_streams_no_beams(model, prompt, tokenizer):
    with pytest.raises(ValueError, match="`streamer` cannot be used with beam search"):
        model.generate(prompt, num_beams=2, max_new_tokens=3, streamer=TextStreamer(tokenizer))
    with toy_llm(improvise(VOCAB_SIZE)) as llm:
        chunks = list(llm.stream([1, 2], num_beams=2, max_new_tokens=6))
        assert "".join(chunk.text for chunk in chunks) == chunks[-1].output.text


def test_transformers_stops_after_twenty_tokens_where_nothing_is_said(model, prompt):
    with pytest.warns(UserWarning, match="max_length"):
        ids = model.generate(prompt, eos_token_id=None)
    assert ids.shape[1] == prompt.shape[1] + 20


def test_transformers_samples_from_fifty_tokens_where_nothing_is_said(model, prompt):
    found = model.generate(
        prompt,
        do_sample=True,
        max_new_tokens=1,
        output_scores=True,
        return_dict_in_generate=True,
    )
    assert torch.isfinite(found.scores[0]).sum() == 50
    with toy_llm() as llm:
        assert llm.next([1], do_sample=True).candidates == VOCAB_SIZE


def test_the_version_the_page_speaks_of():
    assert transformers.__version__.startswith("5.")
