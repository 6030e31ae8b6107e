import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from foretell.engine.blocks import BlockPool
from foretell.errors import RequestError

NUM_BLOCKS = 12


class Holders(RuleBasedStateMachine):
    """Holders come, share and go; the pool's books must match the plain list of who holds what."""

    def __init__(self):
        super().__init__()
        self.pool = BlockPool(NUM_BLOCKS)
        self.held: list[list[int]] = []

    @rule(count=st.integers(0, 5))
    def allocate(self, count):
        before = {block for blocks in self.held for block in blocks}
        if count > NUM_BLOCKS - len(before):
            with pytest.raises(RequestError, match=f"{count} KV blocks are wanted"):
                self.pool.allocate(count)
            return
        blocks = self.pool.allocate(count)
        assert len(set(blocks)) == count
        assert before.isdisjoint(blocks)
        self.held.append(blocks)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def share(self, data):
        blocks = data.draw(st.sampled_from(self.held))
        self.pool.share(blocks)
        self.held.append(list(blocks))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def free(self, data):
        self.pool.free(self.held.pop(data.draw(st.integers(0, len(self.held) - 1))))

    @invariant()
    def books_balance(self):
        flat = [block for blocks in self.held for block in blocks]
        assert self.pool.num_free == NUM_BLOCKS - len(set(flat))
        for block in range(NUM_BLOCKS):
            assert self.pool.num_holders(block) == flat.count(block)


Holders.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestBlockPool = Holders.TestCase


@pytest.mark.parametrize("verb", ["free", "share"])
def test_a_free_block_is_nobodys(verb):
    pool = BlockPool(2)
    with pytest.raises(ValueError, match="KV block 1 is free"):
        getattr(pool, verb)([1])
