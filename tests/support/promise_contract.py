"""What the promise is of an engine on real kernels. A test class inherits it and makes the model.

    class TestTiny(PromiseContract):
        @pytest.fixture
        def model(self): ...

A request's answer, and every row of logits behind it, are bit for bit what they are alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.stress.ways import (
    WAYS,
    Witness,
    make_requests,
    run_alone,
    run_squeezed,
    run_together,
    short_ones,
)
from foretell.backends.native.backend import NativeBackend
from foretell.engine.engine import Engine
from foretell.formats.gguf import GGUFFile


class Model:
    """A model, some requests, what they are answered alone, and every row of logits seen."""

    def __init__(self, path: Path, number: int, *, longest: int, num_blocks: int) -> None:
        self.path = path
        self.num_blocks = num_blocks
        self.backend = self.load(threads=2)
        self.rows: dict[Any, Any] = {}
        self.requests = make_requests(number, self.backend.info.vocab_size, longest=longest, seed=2)
        self.alone = run_alone(Witness(self.backend, self.rows), self.requests)

    def load(self, *, block_size: int = 16, **settings: Any) -> NativeBackend:
        """The same model; as many positions in its pool, whatever the size of a block."""
        with GGUFFile.open(self.path) as file:
            num_blocks = self.num_blocks * 16 // block_size
            return NativeBackend.load(
                file, num_blocks=num_blocks, block_size=block_size, **settings
            )


class PromiseContract:
    """The tests; one `model` may serve them all."""

    @pytest.mark.parametrize("way", WAYS)
    def test_every_way_of_running_them_gives_the_same_answers(self, model, way):
        witness = Witness(model.backend, model.rows)
        outcome = WAYS[way](witness, model.requests)
        assert outcome.answers == model.alone
        assert witness.num_known > 0
        assert witness.num_differing == 0
        assert (outcome.stats.cached_blocks > 0) == (way != "no cache")
        assert outcome.stats.free_blocks == outcome.stats.num_blocks
        assert model.backend.info.can_go_back or outcome.stats.draft_tokens == 0

    def test_who_is_preempted_is_answered_the_same(self, model):
        num_preempted = 0
        for places in (short_ones(model.requests), range(len(model.requests))):
            requests = [model.requests[place] for place in places]
            outcome, witness = run_squeezed(model.backend, requests, model.rows)
            num_preempted += outcome.stats.preemptions
            assert outcome.answers == [model.alone[place] for place in places]
            assert witness.num_differing == 0
        assert num_preempted > 0

    @pytest.mark.parametrize(
        "settings",
        [{"threads": 1}, {"block_size": 32}, {"block_size": 64}, {"block_size": 128}],
        ids=lambda settings: "-".join(f"{name}-{value}" for name, value in settings.items()),
    )
    def test_threads_and_block_sizes_change_nothing(self, model, settings):
        witness = Witness(model.load(**settings), model.rows)
        outcome = run_together(Engine(witness), model.requests)
        assert outcome.answers == model.alone
        assert witness.num_known > 0
        assert witness.num_differing == 0
