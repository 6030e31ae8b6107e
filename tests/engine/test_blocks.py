import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from foretell.engine.blocks import BlockPool
from foretell.errors import RequestError

NUM_BLOCKS = 12


class Holders(RuleBasedStateMachine):
    """Holders come, share, name and go; the pool's books must match plain lists.

    `kept` has the free blocks with a key, the one that was used longest ago first.
    """

    def __init__(self):
        super().__init__()
        self.pool = BlockPool(NUM_BLOCKS)
        self.held: list[list[int]] = []
        self.keys: dict[int, bytes] = {}
        self.kept: list[int] = []

    @rule(count=st.integers(0, 5))
    def allocate(self, count):
        before = {block for blocks in self.held for block in blocks}
        if count > NUM_BLOCKS - len(before):
            with pytest.raises(RequestError, match=f"{count} KV blocks are wanted"):
                self.pool.allocate(count)
            return
        num_empty = NUM_BLOCKS - len(before) - len(self.kept)
        evicted = self.kept[: max(0, count - num_empty)]
        blocks = self.pool.allocate(count)
        assert len(set(blocks)) == count
        assert before.isdisjoint(blocks)
        assert [block for block in blocks if block in self.keys] == evicted
        for block in evicted:
            self.kept.remove(block)
            assert self.pool.find(self.keys.pop(block)) is None
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
        blocks = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        self.pool.free(blocks)
        still_held = {block for others in self.held for block in others}
        self.kept += [
            block for block in reversed(blocks) if block in self.keys and block not in still_held
        ]

    @precondition(lambda self: any(self.held))
    @rule(data=st.data(), key=st.sampled_from([bytes([number]) for number in range(8)]))
    def name(self, data, key):
        block = data.draw(st.sampled_from([one for blocks in self.held for one in blocks]))
        self.pool.name(block, key)
        if block not in self.keys and key not in self.keys.values():
            self.keys[block] = key

    @rule(key=st.sampled_from([bytes([number]) for number in range(8)]))
    def take(self, key):
        block = self.pool.take(key)
        assert block == next((one for one, its in self.keys.items() if its == key), None)
        if block is not None:
            self.held.append([block])
            if block in self.kept:
                self.kept.remove(block)

    @invariant()
    def books_balance(self):
        flat = [block for blocks in self.held for block in blocks]
        assert self.pool.num_free == NUM_BLOCKS - len(set(flat))
        assert self.pool.num_kept == len(self.kept)
        for block in range(NUM_BLOCKS):
            assert self.pool.ref_count(block) == flat.count(block)
        for block, key in self.keys.items():
            assert self.pool.find(key) == block


Holders.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestBlockPool = Holders.TestCase


@pytest.mark.parametrize("verb", ["free", "share"])
def test_a_free_block_is_nobodys(verb):
    pool = BlockPool(2)
    with pytest.raises(ValueError, match="KV block 1 is free"):
        getattr(pool, verb)([1])


def test_a_pool_that_keeps_nothing_forgets_keys_with_the_last_holder():
    pool = BlockPool(2, keeps=False)
    (block,) = pool.allocate(1)
    pool.name(block, b"key")
    assert pool.take(b"key") == block
    pool.free([block])
    assert pool.find(b"key") == block
    pool.free([block])
    assert pool.find(b"key") is None
    assert pool.take(b"key") is None
    assert (pool.num_free, pool.num_kept) == (2, 0)
