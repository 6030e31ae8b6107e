"""Random numbers that can be recomputed alone: Philox4x64-10.

A counter-based generator (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): the
number at a position depends on the key and the position only, not on any draw before it. So what a
request draws is the same whatever else runs beside it, and any one draw can be checked by itself.
"""

from __future__ import annotations

ROUNDS = 10
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)  # added to the key each round: golden ratio, √3 - 1
MASK = 2**64 - 1

Words = tuple[int, int, int, int]


def philox4x64(key: tuple[int, int], counter: Words) -> Words:
    """Encrypt a 256-bit counter (four 64-bit words, lowest first) with a 128-bit key."""
    key0, key1 = key
    word0, word1, word2, word3 = counter
    for _ in range(ROUNDS):
        product0 = MULTIPLIERS[0] * word0
        product1 = MULTIPLIERS[1] * word2
        word0 = (product1 >> 64) ^ word1 ^ key0
        word1 = product1 & MASK
        word2 = (product0 >> 64) ^ word3 ^ key1
        word3 = product0 & MASK
        key0 = (key0 + WEYL[0]) & MASK
        key1 = (key1 + WEYL[1]) & MASK
    return word0, word1, word2, word3


def uniform(seed: int, sequence: int, position: int, stream: int = 0) -> float:
    """The draw for one position of one sequence: a multiple of 2**-53 in [0, 1).

    `seed` and `sequence` are the two key words, `position` and `stream` the lower words of the
    counter; each is in [0, 2**64). Stream 0 draws tokens; a processor that tosses a coin has its
    own.
    """
    word = philox4x64((seed, sequence), (position, stream, 0, 0))[0]
    return (word >> 11) * 2.0**-53
