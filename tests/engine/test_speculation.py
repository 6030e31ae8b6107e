"""Drafts change nothing: texts, reports, stops and books are those of one token a step."""

from dataclasses import replace

import pytest
from support.engine_oracle import VOCAB, answer_by_hand, run, scripted

from benchmarks.stress.answers import request, take
from benchmarks.stress.prompter import Prompter
from foretell.decoding.logprobs import report
from foretell.decoding.strategies.base import Choice, Choices, ChosenToken, StrategyContext
from foretell.decoding.strategies.sampling import SamplingStrategy
from foretell.engine.engine import Engine
from foretell.engine.settings import EngineSettings
from foretell.engine.speculation import EXCESS, Speculator, StepCosts

PROMPT = [1, 2, 3, 4, 5, 6]
SAMPLING = {"max_new_tokens": 23, "temperature": 1.3, "seed": 11}
KINDS = (
    {},
    {"logprobs": 2},
    {"temperature": None, "repetition_penalty": 1.3},
    {"temperature": None, "mirostat": 2, "logprobs": 0},
    {"mirostat": 1, "temperature": None},
    {"adaptive_target": 0.3, "temperature": None},
    {"dry_multiplier": 0.8, "top_k": 5},
    {"xtc_probability": 0.5, "xtc_threshold": 0.02},
    {"no_repeat_ngram_size": 2, "logprobs": 1, "logprobs_stage": ("raw", "final")},
    {"min_new_tokens": 9, "eos_token_ids": frozenset({3})},
    {"stop_token_ids": [7]},
    {"trace": True, "top_p": 0.9},
    {"num_return_sequences": 3},
    {"num_return_sequences": 3, "mirostat": 2, "temperature": None},
    {"negative_prompt": [4, 4, 2, 1, 1, 5, 6, 7, 8], "guidance_scale": 1.5},
    {"negative_prompt": [4], "guidance_scale": 1.5, "num_return_sequences": 2, "logprobs": 1},
    {"prompt_logprobs": 1},
)


def wish_for(kind, **others):
    return request(PROMPT, **SAMPLING | kind | others)


def prompted(*wishes, errors=0.2, is_brief=True):
    """A drafter that knows what these will be answered."""
    prompter = Prompter(VOCAB, errors=errors, is_brief=is_brief)
    for wish in wishes:
        for sample in answer_by_hand(wish).samples.values():
            prompter.texts.append([*wish.prompt, *sample.tokens])
    return prompter


def only_answer(engine, wish):
    engine.add(wish)
    (answer,) = run(engine).values()
    return answer


@pytest.mark.parametrize("errors", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_request_is_answered_as_without(kind, errors):
    wish = wish_for(kind)
    plain, engine = Engine(scripted()), Engine(scripted(), drafter=prompted(wish, errors=errors))
    assert only_answer(engine, wish) == only_answer(plain, wish)
    if not kind.get("trace"):
        assert only_answer(engine, wish) == answer_by_hand(wish)
    assert engine.num_free_blocks == engine.stats().num_blocks
    assert engine.stats().draft_tokens
    assert errors or engine.stats().accepted_tokens


def test_a_right_drafter_saves_all_the_steps_that_it_can():
    wish = wish_for({"max_new_tokens": 41})
    engine = Engine(scripted(), drafter=prompted(wish, errors=0.0, is_brief=False))
    assert only_answer(engine, wish) == answer_by_hand(wish)
    assert engine.stats().steps == 1 + 5  # the first token, then eight a step
    assert engine.stats().accepted_tokens == 35


@pytest.mark.parametrize("num_blocks", [9, 12, 20, 128])
@pytest.mark.parametrize("caching", [True, False])
def test_together_in_pools_of_all_sizes(num_blocks, caching):
    wishes = [wish_for(kind, seed=seed, max_new_tokens=9) for seed, kind in enumerate(KINDS[:9])]
    wishes = [wish for wish in wishes if wish.num_sequences == 1]
    for errors in (0.0, 0.3):
        engine = Engine(
            scripted(num_blocks=num_blocks),
            EngineSettings(prefix_caching=caching),
            prompted(*wishes, errors=errors),
        )
        identities = [engine.add(wish) for wish in wishes]
        found = run(engine)
        assert [found[one] for one in identities] == [answer_by_hand(wish) for wish in wishes]
        assert engine.num_free_blocks == num_blocks


def test_drafts_take_empty_blocks_only():
    """They preempt nobody and cost no prefix its blocks: both are as without."""
    wish = wish_for({"max_new_tokens": 30})
    others = [wish_for({}, seed=seed, max_new_tokens=6) for seed in range(4)]
    engines = [
        Engine(scripted(num_blocks=14)),
        Engine(scripted(num_blocks=14), drafter=prompted(wish, *others, errors=0.9)),
    ]
    stats = []
    for engine in engines:
        for other in others:
            only_answer(engine, other)
        only_answer(engine, wish)
        stats.append(engine.stats())
    plain, fast = stats
    assert fast.draft_tokens
    assert not plain.preemptions + fast.preemptions
    assert fast.cached_tokens == plain.cached_tokens
    assert fast.cached_blocks == plain.cached_blocks


@pytest.mark.parametrize("errors", [0.0, 0.4])
def test_the_cache_holds_what_it_would_hold_without(errors):
    """The same keys: none of a draft that was not drawn, all of those that were."""
    for kind in ({}, {"stop_token_ids": [7]}, {"num_return_sequences": 3}):
        wish = wish_for(kind)
        keys = []
        for drafter in (None, prompted(wish, errors=errors)):
            engine = Engine(scripted(), drafter=drafter)
            only_answer(engine, wish)
            keys.append({*engine._scheduler.pool._block_of})
        assert keys[0] == keys[1]


def test_a_sample_that_is_aborted_takes_its_drafts_with_it():
    wish = wish_for({"num_return_sequences": 3})
    engine = Engine(scripted(), drafter=prompted(wish, errors=0.1))
    identity = engine.add(wish)
    answers = {}
    for _ in range(3):
        take(engine.step(), answers)
    engine.abort(identity, 1)
    while engine.has_work:
        take(engine.step(), answers)
    expected = answer_by_hand(wish).samples
    found = answers[identity].samples
    assert (found[0], found[2]) == (expected[0], expected[2])
    assert found[1].tokens == expected[1].tokens[: len(found[1].tokens)]
    assert engine.num_free_blocks == engine.stats().num_blocks


class Script(SamplingStrategy):
    """Sampling, of which some tokens are forced: they are known beforehand, and not drawn."""

    def __init__(self, wish, forced):
        super().__init__(wish.config, StrategyContext(wish.context(VOCAB, wish.min_length)))
        self.foresight = self
        self._forced = forced  # by the number of tokens before
        self.asked = []

    def forced(self, history, most):
        run, length = [], len(history.tokens)
        while len(run) < most and length + len(run) in self._forced:
            run.append(self._forced[length + len(run)])
        return run

    def num_possible(self, history, tokens):
        return len(tokens)

    def step(self, rows, histories):
        choices = []
        for parent, (row, history) in enumerate(zip(rows, histories, strict=True)):
            length = len(history.tokens)
            self.asked.append(length)
            if length in self._forced:
                token = ChosenToken(
                    self._forced[length], {"raw": report(row, self._forced[length], 0)}
                )
            else:
                token = self.choose(row, history, self.stages(history))
            choices.append(Choice(parent, (token,)))
        return Choices(choices)


@pytest.mark.parametrize("drafts", [False, True])
def test_forced_tokens_are_computed_in_one_step(drafts):
    """Also where nothing is guessed; their log-probabilities are the model's."""
    forced = {length: length % VOCAB for length in (*range(9, 14), *range(16, 25))}
    wish = wish_for({"logprobs": 0})
    alone = replace(wish, strategy=Script(wish, forced))
    alone.strategy.foresight = None
    expected = only_answer(Engine(scripted()), alone)
    wish = replace(wish, strategy=Script(wish, forced))
    engine = Engine(scripted(), drafter=prompted(wish_for({})) if drafts else None)
    assert only_answer(engine, wish) == expected
    assert wish.strategy.asked == alone.strategy.asked == [*range(6, 29)]
    assert engine.stats().steps <= 23 - len(forced)


def test_a_wrong_answer_behind_drafts_ends_its_request_alone():
    class Wrong(SamplingStrategy):
        def step(self, rows, histories):
            if len(histories[0].tokens) == 9:
                return Choices([])
            token = self.choose(rows[0], histories[0], self.stages(histories[0]))
            return Choices([Choice(0, (token,))])

    wish = wish_for({})
    context = StrategyContext(wish.context(VOCAB, wish.min_length))
    wrong = replace(wish, strategy=Wrong(wish.config, context))
    engine = Engine(scripted(), drafter=prompted(wish, errors=0.0, is_brief=False))
    first, second = engine.add(wrong), engine.add(wish)
    found = run(engine)
    assert found[second] == answer_by_hand(wish)
    assert found[first].samples[0].end == "error"
    assert len(found[first].samples[0].tokens) == 3
    assert engine.num_free_blocks == engine.stats().num_blocks


def test_what_a_row_costs_is_learnt_from_steps_beside_each_other():
    for true in (0.3, 1.0, 3.0):
        costs = StepCosts()
        pace = 1.0
        for step in range(600):
            pace *= 1.01 if step % 7 else 0.95  # what slows all says nothing
            rows = [(1, 4), (4, 1), (2, 8), (8, 3)][step % 4]
            seconds = tuple(pace * (1 + true * EXCESS[number]) for number in rows)
            costs.note(rows, seconds)
        assert costs.slope == pytest.approx(true, rel=0.1)
    costs.note((1, 2), (0.0, 1.0))
    assert costs.slope == pytest.approx(true, rel=0.1)


@pytest.mark.parametrize(("running", "chance"), [(1, 0.1), (4, 0.5), (8, 0.85)])
def test_load_asks_for_surer_drafts_and_switches_them_off(running, chance):
    """A tenth is enough alone, beside three about a half, beside seven 0.8 to 0.9."""
    speculator = Speculator()
    assert speculator._price(running, 1) * running == pytest.approx(chance, abs=0.12)
    assert speculator._price(16, 1) * 16 > 1
