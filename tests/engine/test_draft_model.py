"""A draft model decodes greedily ahead, in blocks of its own, and forgets what was not drawn."""

from __future__ import annotations

import gc
import random

import numpy as np
import pytest
from support.speculated import repeating
from support.toy import VOCAB_SIZE

from foretell import GenerationConfig
from foretell.backends.scripted import ScriptedBackend
from foretell.decoding.drafts.base import MAX_CHANCE, NO_DRAFT
from foretell.engine.draft_model import DraftModel
from foretell.engine.sequence import Sequence

SCRIPT = repeating()
CONFIG = GenerationConfig()


def model(**sizes: int) -> DraftModel:
    backend = ScriptedBackend(SCRIPT, vocab_size=VOCAB_SIZE, **{"num_blocks": 60, **sizes})
    return DraftModel(backend, VOCAB_SIZE)


def greedy(tokens: list[int], number: int) -> list[int]:
    """What the script itself finds likeliest, token by token."""
    written = [*tokens]
    for _ in range(number):
        written.append(int(np.argmax(SCRIPT(tuple(written)))))
    return written[len(tokens) :]


def sequence(tokens: list[int]) -> Sequence:
    return Sequence(0, tokens)


@pytest.mark.parametrize("seed", range(8))
def test_drafts_are_what_the_model_writes_greedily(seed: int) -> None:
    """However texts grow: as drafted, in part, or otherwise."""
    rng, drafter = random.Random(seed), model()
    texts = [sequence([rng.randrange(VOCAB_SIZE) for _ in range(rng.randint(1, 30))])]
    texts += [sequence([rng.randrange(VOCAB_SIZE) for _ in range(rng.randint(1, 30))])]
    followers = [drafter.follow(text, CONFIG) for text in texts]
    num_drafted = 0
    for _ in range(12):
        drafts = drafter.propose(followers, 5, 0.0)
        for text, draft in zip(texts, drafts, strict=True):
            assert [*draft.tokens] == greedy(text.tokens, len(draft.tokens))
            assert all(0 < chance <= MAX_CHANCE for chance in draft.chances)
            num_drafted += len(draft.tokens)
            right = rng.randint(0, len(draft.tokens))
            text.tokens += [*draft.tokens[:right], rng.randrange(VOCAB_SIZE)]
    assert num_drafted > 20


def test_chances_follow_how_often_drafts_are_right() -> None:
    drafter, text = model(), sequence([1, 2, 3])
    follower = drafter.follow(text, CONFIG)
    before = follower.chance
    for _ in range(6):
        (draft,) = drafter.propose([follower], 4, 0.0)
        text.tokens += draft.tokens
    assert follower.chance > before
    for _ in range(120):
        (draft,) = drafter.propose([follower], 4, 0.0)
        if draft.tokens:
            text.tokens.append((draft.tokens[0] + 1) % VOCAB_SIZE)
        else:
            text.tokens.append(1)
    assert follower.chance < 0.11
    assert sum(drafter.propose([follower], 4, 0.0)[0] == NO_DRAFT for _ in range(20)) >= 19


def test_blocks_are_given_back_with_the_sequence() -> None:
    drafter = model()
    free = drafter._pool.num_free
    follower = drafter.follow(sequence([*range(40)]), CONFIG)
    drafter.propose([follower], 3, 0.0)
    assert drafter._pool.num_free < free
    del follower
    gc.collect()
    assert drafter._pool.num_free == free


def test_who_is_idle_makes_room_and_is_drafted_for_again() -> None:
    drafter = model(num_blocks=12)  # of four positions
    idle, busy = sequence([*range(40)]), sequence([*range(50, 90)])
    first, second = drafter.follow(idle, CONFIG), drafter.follow(busy, CONFIG)
    for text, follower in ((idle, first), (busy, second), (idle, first)):
        (draft,) = drafter.propose([follower], 3, 0.0)
        assert [*draft.tokens] == greedy(text.tokens, len(draft.tokens)) != []
    assert drafter.propose([first, second], 3, 0.0)[1] == NO_DRAFT  # there is no room for both


def test_behind_the_end_of_its_context_it_guesses_nothing() -> None:
    drafter = model(context_length=32)
    follower = drafter.follow(sequence([*range(30)]), CONFIG)
    assert drafter.propose([follower], 3, 0.0) == [NO_DRAFT]


def test_a_long_prompt_is_caught_up_with_in_several_steps() -> None:
    drafter = model(context_length=2048, num_blocks=200)
    text = sequence([index % 90 for index in range(700)])
    follower = drafter.follow(text, CONFIG)
    found = [drafter.propose([follower], 2, 0.0)[0].tokens for _ in range(3)]
    assert [len(tokens) > 0 for tokens in found] == [False, False, True]
    assert [*found[-1]] == greedy(text.tokens, len(found[-1]))
