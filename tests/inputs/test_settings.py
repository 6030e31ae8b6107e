"""Settings end to end, on the real default model: what the text, the ids and the output show."""

import math
import re

import numpy as np
import pytest
from support.logits_after import logits_after

from foretell import LLM, ConfigError, RequestError
from foretell.config import GenerationConfig
from foretell.decoding.softmax import log_softmax
from foretell.errors import ModelFileError, SettingWarning
from foretell.loading.recommended import read_recommended

STORY = "Once upon a time"


@pytest.fixture(scope="module")
def llm(default_model_path):
    with LLM(default_model_path, context_length=512) as model:
        yield model


@pytest.mark.parametrize("negative", [None, "The weather report says that", [5, 6, 7]])
def test_guidance_pulls_away_from_the_negative_prompt(llm, negative):
    prompt = llm.tokenizer.encode(STORY)
    against = llm.tokenizer.encode(negative) if isinstance(negative, str) else negative
    against = prompt[-1:] if against is None else against
    new = []
    for _ in range(6):
        with_prompt = log_softmax(logits_after(llm, prompt + new))
        without = log_softmax(logits_after(llm, against + new))
        new.append(int(np.argmax(1.5 * (with_prompt - without) + without)))
    output = llm.generate(STORY, max_new_tokens=6, guidance_scale=1.5, negative_prompt=negative)
    assert output.token_ids == new


def test_guided_and_plain_requests_share_steps(llm):
    guided = llm.stream(STORY, max_new_tokens=8, guidance_scale=2.0)
    plain = llm.stream(STORY, max_new_tokens=8)
    both = [chunk for pair in zip(guided, plain, strict=True) for chunk in pair]
    alone = llm.generate(STORY, max_new_tokens=8, guidance_scale=2.0)
    assert both[-2].require_output().token_ids == alone.token_ids
    assert both[-1].require_output().token_ids == llm.generate(STORY, max_new_tokens=8).token_ids


def test_bad_words_are_not_written(llm):
    free = llm.generate(STORY, max_new_tokens=24).text
    word = re.findall(r"\w{3,}", free)[0]
    output = llm.generate(STORY, max_new_tokens=24, bad_words=[word])
    assert f" {word}" not in output.text
    assert output.config.bad_words == (word,)


def test_a_bias_may_name_a_text(llm):
    forced = llm.generate(STORY, max_new_tokens=1, logit_bias={" zebra": 200.0}).text
    assert forced.startswith(" z")
    (token_id,) = llm.tokenizer.encode(" the")
    assert llm.generate(STORY, max_new_tokens=1, logit_bias={token_id: 200.0}).text == " the"
    assert llm.generate(STORY, max_new_tokens=1, logit_bias={" the": 200.0}).text == " the"


def test_min_new_tokens_forbids_the_end(llm):
    messages = [{"role": "user", "content": "Say hi."}]
    short = llm.chat(messages, max_new_tokens=80)
    output = llm.chat(messages, max_new_tokens=80, min_new_tokens=len(short.token_ids) + 10)
    assert output.usage.completion_tokens >= len(short.token_ids) + 10


def test_the_last_token_can_be_forced(llm):
    eos = min(llm.tokenizer.eos_token_ids)
    output = llm.generate(STORY, max_new_tokens=5, forced_eos_token_id=eos)
    assert (len(output.token_ids), output.token_ids[-1]) == (5, eos)


def test_max_length_counts_the_prompt(llm):
    output = llm.generate(STORY, max_length=10)
    assert len(output.prompt_token_ids) + len(output.token_ids) == 10
    assert output.stop_reason.kind == "max_length"
    with pytest.raises(RequestError, match="max_length=2 leaves nothing to generate"):
        llm.generate(STORY, max_length=2)


def test_time_can_end_it(llm):
    output = llm.generate(STORY, max_time=0.05, ignore_eos=True)
    assert (output.finish_reason, output.stop_reason.kind) == ("length", "max_time")


def test_a_loop_ends_it(llm):
    settings = {"logit_bias": {" the": 200.0}, "max_new_tokens": 50}
    output = llm.generate(STORY, repetition_detection=True, **settings)
    assert (output.stop_reason.kind, output.stop_reason.value) == ("loop", 1)
    assert len(output.token_ids) == 4


def test_a_predicate_ends_it(llm):
    output = llm.generate(
        STORY, max_new_tokens=40, stopping_criteria=lambda text, ids: text.count(" ") >= 5
    )
    assert output.text.count(" ") == 5
    assert output.stop_reason.kind == "criteria"


def test_other_ids_can_be_the_end(llm):
    (the,) = llm.tokenizer.encode(" the")
    output = llm.generate(STORY, max_new_tokens=9, logit_bias={the: 200.0}, eos_token_id=the)
    assert (output.token_ids, output.text) == ([the], "")
    stopped = llm.generate(STORY, max_new_tokens=9, logit_bias={the: 200.0}, stop_token_ids=[the])
    assert (stopped.stop_reason.kind, stopped.stop_reason.value) == ("token", the)


def test_logprobs_at_every_stage(llm):
    output = llm.generate(
        STORY,
        max_new_tokens=5,
        temperature=0.5,
        top_k=3,
        presence_penalty=1.0,
        seed=5,
        logprobs=3,
        logprobs_stage=["raw", "processed", "final"],
    )
    stages = output.logprobs_by_stage
    assert list(stages) == ["raw", "processed", "final"]
    assert output.logprobs == stages["raw"]
    ids = list(output.prompt_token_ids)
    for place, token_id in enumerate(output.token_ids):
        raw = logits_after(llm, ids).astype(np.float64)
        processed = raw.copy()
        processed[list(set(output.token_ids[:place]))] -= 1.0
        best = np.sort(processed)[-3]
        final = np.where(processed >= best, processed / 0.5, -np.inf)
        for name, row in (("raw", raw), ("processed", processed), ("final", final)):
            weights = np.exp(row - row.max())
            expected = math.log(weights[token_id] / weights.sum())
            entry = stages[name][place]
            assert entry.stage == name
            assert entry.logprob == pytest.approx(expected, rel=1e-6, abs=1e-6)
            assert len(entry.top) == 3
        ids.append(token_id)


def test_a_greedy_choice_is_certain_in_the_end(llm):
    output = llm.generate(STORY, max_new_tokens=2, logprobs=0, logprobs_stage="final")
    assert [entry.logprob for entry in output.logprobs] == [0.0, 0.0]


def test_prompt_logprobs_are_the_scores(llm):
    output = llm.generate(STORY, max_new_tokens=2, prompt_logprobs=0)
    expected = llm.score(STORY).tokens
    assert [entry.logprob for entry in output.prompt_logprobs] == [
        None if entry.logprob is None else pytest.approx(entry.logprob) for entry in expected
    ]


def test_a_dialect_brings_its_defaults_and_the_output_tells_them(llm):
    output = llm.generate(STORY, max_new_tokens=2, dialect="llama.cpp", seed=1)
    told = output.config.as_dict()
    expected = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05}
    assert expected.items() <= told.items()


def test_a_value_out_of_the_useful_range_is_warned_of(llm):
    with pytest.warns(SettingWarning, match=r"temperature=5\.0 is legal, but 0.1 to 2 is"):
        llm.generate(STORY, max_new_tokens=1, temperature=5.0, seed=0)


def test_settings_that_have_no_effect_are_refused(llm):
    for settings in (
        {"dry_base": 2.0},
        {"penalty_scope": "all"},
        {"xtc_threshold": 0.2},
        {"negative_prompt": "x"},
        {"mirostat": 2, "top_p": 0.9},
        {"include_stop_str_in_output": True},
        {"logprobs_stage": "final"},
    ):
        with pytest.raises(ConfigError):
            llm.generate(STORY, max_new_tokens=1, **settings)


def test_names_from_elsewhere_are_recognized(llm):
    with pytest.raises(ConfigError, match="unknown setting 'max_tokens': here it is called"):
        llm.generate(STORY, max_tokens=3)


SAMPLERS = {
    "dynatemp_range": 0.5,
    "min_p": 0.1,
    "typical_p": 0.8,
    "epsilon_cutoff": 0.01,
    "eta_cutoff": 0.01,
    "top_h": 0.5,
    "top_n_sigma": 1.0,
    "xtc_probability": 0.5,
    "mirostat": 1,
    "adaptive_target": 0.4,
}


@pytest.mark.parametrize(("name", "value"), SAMPLERS.items())
def test_every_sampler_runs_and_repeats(llm, name, value):
    settings = {name: value, "max_new_tokens": 12, "seed": 4}
    first = llm.generate(STORY, **settings)
    assert first.token_ids == llm.generate(STORY, **settings).token_ids
    streamed = [token for chunk in llm.stream(STORY, **settings) for token in chunk.token_ids]
    assert streamed == first.token_ids
    together = llm.generate([STORY, "The cat"], **settings)
    assert together[0].token_ids == first.token_ids


def test_dry_breaks_a_repetition(llm):
    prompt = "red green blue red green blue red green"
    free = llm.generate(prompt, max_new_tokens=1).text
    assert free == " blue"
    assert llm.generate(prompt, max_new_tokens=1, dry_multiplier=5.0).text != " blue"


def test_a_model_without_recommendations_says_so(llm):
    if llm.recommended:
        assert llm.generate(STORY, max_new_tokens=1, preset="model").config.as_dict()
    else:
        with pytest.raises(ConfigError, match="this model's files recommend no settings"):
            llm.generate(STORY, max_new_tokens=1, preset="model")


def test_recommendations_come_from_the_file_or_beside_it(tmp_path):
    metadata = {"general.sampling.temp": 0.6, "general.sampling.top_k": 20}
    path = tmp_path / "model.gguf"
    assert read_recommended(metadata, path) == {"temperature": 0.6, "top_k": 20}
    assert read_recommended({}, path) == {}
    beside = tmp_path / "generation_config.json"
    beside.write_text('{"do_sample": true, "temperature": 0.7, "top_p": 0.8, "bos_token_id": 1}')
    assert read_recommended({}, path) == {"do_sample": True, "temperature": 0.7, "top_p": 0.8}
    beside.write_text('{"temperature": 0.7}')
    assert read_recommended({}, path) == {"do_sample": False}
    beside.write_text('{"do_sample": true, "temperature": -1}')
    with pytest.raises(ModelFileError, match="recommends impossible settings"):
        read_recommended({}, path).config()
    beside.write_text("{")
    with pytest.raises(ModelFileError, match="is not JSON"):
        read_recommended({}, path).config()
    beside.unlink()
    beside.symlink_to("nowhere")
    with pytest.raises(ModelFileError, match="is a link to nothing"):
        read_recommended({}, path).config()


def test_override_fills_anew():
    config = GenerationConfig(preset="code")
    assert (config.temperature, config.top_p) == (0.3, 0.9)
    assert config.override(preset="creative").temperature == 0.85
    assert config.override(temperature=0.2).top_p == 0.9
    assert config.override(preset="greedy").is_sampling is False
    assert GenerationConfig(dialect="llama.cpp").override(do_sample=False).top_k is None
